"""Records of runs as heatproof writes them, to be changed by tests."""

RUN = {
    "schema": 2, "study": "compare", "configuration": {}, "costs": [], "shard_size": 16, "versions": {}, "machine": {},
    "network": {"name": "tiny", "source": "", "weights_blake2b": "0", "preprocessing": {}, "notes": []},
    "data": {"name": "made", "members": 70, "fingerprint": "0"},
    "plan": {
        "methods": ["sobel"], "lerf": False, "measures": [], "rule": None,
        "protocol": {
            "replacement": "uniform", "regions": 4, "steps": 3, "repeats": 2, "seed": 0, "score": "logit",
            "engine": "full", "memory": 2**30, "scored": None,
        },
    },
}  # fmt: skip
PART = {
    "methods": ["sobel"], "lerf": [], "reference": True, "places": {}, "measures": {},
    "engine": {"name": "full", "nodes_on_windows": 0, "nodes": 3, "reason": "asked for"},
}  # fmt: skip
FAILED = {"shard": 3, "error": "ValueError: no\n  at line 3", "tries": 3, "worker": "host:2"}
LOCK = {"pid": 1, "host": "machine", "since": "2026-11-23T10:00:00+00:00"}
SAVED = {
    "schema": 1, "study": "assess", "images": {"a.png": "1", "b.png": "2"}, "skipped": [], "complete": True,
    "verdict": ["Nothing."], "warnings": [], "versions": {"python": "3"}, "machine": {"cores": 1},
    "reproduce": "heatproof …",
}  # fmt: skip


def of_data(**changes):
    """A run's record with another data set."""
    return RUN | {"data": RUN["data"] | changes}


def marker(number, count=15, skipped=1, size=16, **changes):
    """The marker of a shard, in runs with so many images in each."""
    first = size * number
    return {
        "schema": 3, "number": number, "images": count, "positions": [*range(first, first + count)],
        "skipped": [["x", "broken"]] * skipped, "objects": {"": "0" * 32, ".images": "0" * 32}, "part": PART,
        "evaluations": 1000, "heatmap_seconds": 1.0, "perturbation_seconds": 2.0, "seconds": 8.0, "worker": "host:1",
    } | changes  # fmt: skip
