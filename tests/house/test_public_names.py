import heatproof

PUBLIC = [
    "Assessment",
    "Comparison",
    "Curves",
    "InputError",
    "Network",
    "Preprocessing",
    "abpc",
    "aopc",
    "aopc_curve",
    "assess",
    "compare",
    "compare_protocols",
    "compare_replacements",
    "complexity",
    "explain",
    "load_dataset",
    "load_images",
    "load_network",
    "perturb",
    "plan_comparison",
    "planted",
    "randomisation",
    "stability",
    "survey",
]


def test_public_names_are_pinned():
    """Refuse the next one unless it removes two."""
    assert sorted(heatproof.__all__) == PUBLIC


def test_public_names_are_there_and_documented():
    assert [name for name in heatproof.__all__ if not (getattr(heatproof, name).__doc__ or "").strip()] == []
