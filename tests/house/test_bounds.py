"""Every number that a user may write in brackets has bounds, and works at both of them, in little time."""

import time
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.bounds import Bounds
from heatproof.data import DATASETS
from heatproof.errors import InputError
from heatproof.heatmaps import METHODS, WRAPPERS
from heatproof.heatmaps.third_party.options import checked_options
from heatproof.perturbation import REGIONS, REPLACEMENTS
from heatproof.perturbation.regions import as_regions
from heatproof.perturbation.scores import SCORES
from heatproof.registry import bounds_in, hints_of, options_of
from heatproof.studies.further import FURTHER, needs_of

REGISTRIES = (METHODS, WRAPPERS, REPLACEMENTS, REGIONS, SCORES, FURTHER, DATASETS)
NUMBERS = [
    (registry, name, option)
    for registry in REGISTRIES
    for name in registry
    for option, default in options_of(registry[name]).items()
    if isinstance(default, int | float)
]
ODD = (
    "-1",
    "-1e300",
    "0",
    "1e-300",
    "1.5",
    "1e300",
    "100000000000",
    "9" * 5000,
    "inf",
    "-inf",
    "nan",
    "abc",
    "1e",
    "0x1",
)
SECONDS = 20  # for what takes a fraction of one


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 14 * 14, 3)))


@pytest.fixture(scope="module")
def images():
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def use(registry, spec, network, images):
    """Whatever the name is for."""
    if registry is METHODS:
        return hp.explain(network, images, spec)
    if registry is WRAPPERS:
        return hp.explain(network, images, f"{spec}:sensitivity-l2")
    if registry is REPLACEMENTS:
        return hp.perturb(network, images, order="random", replacement=spec, regions=4, steps=2, repeats=1).scores
    if registry is REGIONS:
        return as_regions(spec, images)
    assert registry is FURTHER, "no other registry has numbers yet"
    task = SimpleNamespace(region_counts=[9], steps=3, protocol=SimpleNamespace(repeats=1))
    return torch.tensor([needs_of([spec], task)[0].evaluations])


@pytest.mark.parametrize(("registry", "name", "option"), NUMBERS, ids=lambda given: getattr(given, "kind", given))
class TestNumbers:
    def test_are_declared_with_their_bounds(self, registry, name, option):
        bounds, default = bounds_in(hints_of(registry[name])[option]), options_of(registry[name])[option]
        assert isinstance(bounds, Bounds), f"declare {option} of {name!r} as Annotated[…, Bounds(least, most)]"
        assert default in bounds
        assert bounds.whole == isinstance(default, int)

    def test_out_of_bounds_or_odd_are_refused_at_once_or_work(self, registry, name, option, network, images):
        bounds = bounds_in(hints_of(registry[name])[option])
        for value in (*ODD, str(bounds.low - 1), str(bounds.high * 2 + 1)):
            spec, began, refused = f"{name}[{option}={value}]", time.monotonic(), False
            try:
                registry.resolve(spec)
                found = use(registry, spec, network, images)
                assert bool(torch.isfinite(found).all()), spec
            except InputError as error:
                refused = option in str(error)
            assert time.monotonic() - began < SECONDS, spec
            if value in ("inf", "nan", "abc", str(bounds.low - 1), str(bounds.high * 2 + 1)):
                assert refused, spec

    def test_at_their_bounds_work_or_say_why_not(self, registry, name, option, network, images):
        bounds = bounds_in(hints_of(registry[name])[option])
        for value in (bounds.low, bounds.high):
            spec, began = f"{name}[{option}={value}]", time.monotonic()
            registry.resolve(spec)
            reason = ""
            try:
                assert bool(torch.isfinite(use(registry, spec, network, images)).all()), spec
            except InputError as error:
                reason = str(error)
            assert not reason or any(word in reason for word in ("alpha + beta", "overflows", "regions must be"))
            assert time.monotonic() - began < SECONDS, spec


@pytest.mark.parametrize("value", [-1, 0, 10**11, float("inf"), float("nan"), "many"])
@pytest.mark.parametrize("option", ["n_steps", "nt_samples", "strides", "eps"])
def test_numbers_of_other_packages_have_bounds_too(option, value):
    known = {"n_steps": 50, "nt_samples": 5, "strides": 9, "eps": 1e-10}
    if option == "eps" and value == 10**11:
        return
    with pytest.raises(InputError, match=f"option of method 'captum:X': {option} must be a"):
        checked_options("captum:X", {option: value}, known)


ARGUMENTS = [
    ({"repeats": 10**11}, "repeats must be a whole number from 1 to 10,000"),
    ({"repeats": 0}, "repeats must be a whole number from 1 to 10,000"),
    ({"seed": -1}, "seed must be a whole number from 0"),
    ({"memory": 10**39}, "memory must be a whole number"),
    ({"memory": -1}, "memory must be a whole number"),
    ({"replacement": "blur[sigma=-1]"}, "sigma must be a number from 0.01 to 1000, got -1"),
    ({"regions": "slic[segments=1000000000]"}, "segments must be a whole number from 1 to 100,000"),
    ({"regions": 10**9}, "regions must be between 1 and 16"),
    ({"audit": 10**9}, "audit must be a whole number from 0 to 1,000,000"),
    ({"measures": ["naopc[beam=-1]"]}, "beam must be a whole number from 0"),
    ({"measures": ["naopc[beam=1]", "naopc[beam=2]"]}, "measure 'naopc' is given twice"),
    ({"show": 10**9}, "show must be between 0 and 100"),
    ({"until": "ranked", "indifference": float("nan")}, "indifference must be 0 or more"),
    ({"methods": ["sobel", "sobel"]}, "method 'sobel' is given twice$"),
    ({"methods": ["random", "random[seed=0]"]}, r"method 'random\[seed=0\]' is given twice, first as 'random'"),
    ({"methods": ["negated:sobel", " negated: sobel"]}, "given twice, first as 'negated:sobel'"),
    ({"methods": ["lrp-epsilon[epsilon=0]"]}, "epsilon must be a number"),
    ({"methods": {"mine": "centre-gaussian[sigma=-1]"}}, "sigma must be a number"),
]


@pytest.mark.parametrize(("given", "message"), ARGUMENTS)
def test_a_comparison_is_refused_before_anything_is_computed(given, message, network, images, monkeypatch):
    def computed(*_args, **_kwargs):
        raise AssertionError("it began")

    monkeypatch.setattr(type(network), "forward_pass", computed)
    with pytest.raises(InputError, match=message):
        hp.compare(network, images, **({"methods": ["random"], "regions": 4, "steps": 2} | given), protocol="samek2017")


def test_what_is_merely_large_is_allowed(network, images):
    found = hp.perturb(network, images, order="random", regions=8, repeats=1000, steps=1)
    assert found.scores.shape == (1, 1000, 2)
