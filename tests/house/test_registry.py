import pytest
import torch

from heatproof import InputError
from heatproof.heatmaps import METHODS, WRAPPERS
from heatproof.perturbation import REPLACEMENTS
from heatproof.perturbation.scores import SCORES
from heatproof.registry import Registry, options_of, parse_spec, split_specs, unknown

REGISTRIES = {"methods": METHODS, "prefixs": WRAPPERS, "replacements": REPLACEMENTS, "scores": SCORES}
NAMED = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry]


@pytest.fixture
def shapes():
    registry = Registry("shape")

    @registry.register("box")
    def box(size, *, grow=1, unit="cm", scale=1.0):
        """A box."""
        return size * grow * scale, unit

    @registry.register("ball")
    def ball(size, *, place):
        """A ball."""
        return size, place

    return registry


@pytest.mark.parametrize(("kind", "name"), NAMED)
class TestEverythingRegistered:
    def test_has_a_docstring(self, kind, name):
        summary = (REGISTRIES[kind][name].__doc__ or "").strip().splitlines()
        assert summary, f"{name} needs a docstring: `heatproof list {kind}` prints its first line"
        assert summary[0].endswith(".")

    def test_has_a_name_that_can_be_typed(self, kind, name):
        assert parse_spec(name) == (name, {})
        assert split_specs(name) == [name]
        assert name == name.lower()
        assert " " not in name

    def test_is_found_by_its_name(self, kind, name):
        found = REGISTRIES[kind].resolve(name)
        assert getattr(found, "func", found) is REGISTRIES[kind][name]

    def test_has_options_that_a_user_can_write(self, kind, name):
        function = REGISTRIES[kind][name]
        for option, default in options_of(function).items():
            assert parse_spec(f"{name}[{option}={default}]") == (name, {option: default})

    def test_suggests_its_name_for_a_slip(self, kind, name):
        slip = f"{name[:-1]}{'x' if name[-1] != 'x' else 'y'}"
        with pytest.raises(InputError, match=f"unknown {kind[:-1]} '{slip}'; did you mean .* known: .*{name}"):
            REGISTRIES[kind].resolve(slip)


@pytest.mark.parametrize("name", SCORES)
def test_scores_are_one_number_per_image_and_blind_to_the_batch(name):
    """The contract of a score: (B, classes) and (B,) -> (B,), finite, of the same dtype, row by row."""
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    targets = torch.tensor([0, 3, 1, 1, 2])
    found = SCORES[name](logits, targets)
    assert found.shape == (5,)
    assert found.dtype == logits.dtype
    assert bool(torch.isfinite(found).all())
    alone = torch.cat([SCORES[name](logits[i : i + 1], targets[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(found, alone)


@pytest.mark.parametrize("name", SCORES)
def test_scores_rise_with_the_target_s_logit(name):
    logits, targets = torch.tensor([[0.5, -1.0, 0.2]]), torch.tensor([1])
    higher = logits + torch.tensor([0.0, 0.1, 0.0])
    assert bool(SCORES[name](higher, targets) > SCORES[name](logits, targets))


def test_scores_by_hand():
    logits, targets = torch.tensor([[1.0, 3.0, 2.5]], dtype=torch.float64), torch.tensor([1])
    total = sum(torch.exp(torch.tensor(value, dtype=torch.float64)) for value in (1.0, 3.0, 2.5))
    expected = {
        "logit": torch.tensor([3.0]),
        "probability": torch.exp(torch.tensor([3.0], dtype=torch.float64)) / total,
        "log_probability": 3 - total.log()[None],
        "margin": torch.tensor([0.5]),
        "standardised_logit": torch.tensor([(3 - 6.5 / 3) / ((1 + 9 + 6.25) / 3 - (6.5 / 3) ** 2) ** 0.5]).double(),
    }
    for name, value in expected.items():
        torch.testing.assert_close(SCORES[name](logits, targets), value.double())


def test_extreme_logits_stay_finite():
    logits, targets = torch.tensor([[1e4, -1e4, 0.0]]), torch.tensor([1])
    assert all(bool(torch.isfinite(score(logits, targets)).all()) for score in SCORES.values())


def test_resolve_sets_options(shapes):
    assert shapes.resolve("box")(2) == (2.0, "cm")
    assert shapes.resolve("box[grow=3, unit=mm]")(2) == (6.0, "mm")
    assert shapes.resolve(" box[scale=-1e-3] ")(2) == (-0.002, "cm")


def test_registry_is_a_mapping_in_the_order_of_registering(shapes):
    assert list(shapes) == ["box", "ball"]
    assert len(shapes) == 2
    assert "box" in shapes
    assert "cone" not in shapes


def test_a_name_is_registered_once(shapes):
    with pytest.raises(AssertionError, match="shape 'box' is registered twice"):
        shapes.register("box")(lambda size: size)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bax", "unknown shape 'bax'; did you mean 'box'[?] known: ball, box"),
        ("cylinder", "unknown shape 'cylinder'; known: ball, box$"),
        ("", "unknown shape ''; known: ball, box"),
        ("box[gro=2]", "unknown option of shape 'box': 'gro'; did you mean 'grow'[?] known: grow, scale, unit"),
        ("ball[place=1]", "unknown option of shape 'ball': 'place'; known: none"),
        ("box[size=1]", "unknown option of shape 'box': 'size'"),
        ("box[", r"cannot read 'box\['; options are written name\[key=value,key=value\]"),
        ("box[]", "cannot read"),
        ("box[grow]", "cannot read"),
        ("box[grow=]", "cannot read"),
        ("box[=2]", "cannot read"),
        ("box[grow=2", "cannot read"),
        ("box[grow=2]x", "cannot read"),
        ("box[grow=2,]", "cannot read"),
    ],
)
def test_what_cannot_be_resolved(shapes, spec, message):
    with pytest.raises(InputError, match=message):
        shapes.resolve(spec)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-2", -2), ("1.0", 1.0), ("1e-3", 1e-3), ("include", "include"), ("inf", float("inf"))],
)
def test_values_are_read_as_what_they_look_like(text, value):
    (_, options) = parse_spec(f"name[key={text}]")
    assert options == {"key": value}
    assert type(options["key"]) is type(value)


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        (" a , b[x=1,y=2] ,c", ["a", "b[x=1,y=2]", "c"]),
        ("", []),
    ],
)
def test_lists_are_split_outside_brackets(text, specs):
    assert split_specs(text) == specs


@pytest.mark.parametrize("text", ["a,,b", "a,", ",a", ",", "a, ,b"])
def test_lists_hold_no_empty_name(text):
    with pytest.raises(InputError, match="expected names with single commas between them, got an empty one in"):
        split_specs(text)


def test_options_are_keyword_only_with_a_default(shapes):
    assert options_of(shapes["box"]) == {"grow": 1, "unit": "cm", "scale": 1.0}
    assert options_of(shapes["ball"]) == {}


def test_unknown_names_all_that_are_known():
    assert unknown("thing", "x", []) == "unknown thing 'x'; known: none"


@pytest.mark.parametrize("spec", ["box[grow=abc]", "box[scale=abc]", "box[unit=3]"])
def test_options_of_another_type(shapes, spec):
    with pytest.raises(InputError, match="option of shape 'box'"):
        shapes.resolve(spec)


def test_an_option_given_twice(shapes):
    with pytest.raises(InputError, match="grow"):
        shapes.resolve("box[grow=2,grow=3]")
