"""A plan counts what a comparison does, and its times are those that were measured, in proportion."""

import json

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.perturbation import Engine
from heatproof.studies.planning import pace as pacing
from heatproof.studies.planning.forecast import Forecast, Measured, StepCost

METHODS = ["lrp-epsilon", "sensitivity-l2"]
OPTIONS = {"regions": 4, "steps": 5}


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.Flatten(), nn.Linear(512, 5))
    return hp.Network(module)


@pytest.fixture(scope="module")
def images():
    return torch.rand(6, 3, 20, 20, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def clock(monkeypatch):
    """Lets sequences take the seconds that a test wants; records over how many steps they were followed."""
    followed = []

    def set_to(begin, step):
        def follow(_task, _orders, _batch, steps):
            followed.append(steps)
            return begin + steps * step

        monkeypatch.setattr(pacing, "_follow", follow)
        return followed

    return set_to


@pytest.mark.parametrize("engine", ["full", "incremental"])
@pytest.mark.parametrize("repeats", [1, 3])
def test_what_is_counted_is_what_compare_does(network, images, engine, repeats):
    forecast = hp.plan_comparison(
        network, images, METHODS, **OPTIONS, repeats=repeats, engine=engine, protocol="samek2017"
    )
    study = hp.compare(network, images, METHODS, **OPTIONS, repeats=repeats, engine=engine, protocol="samek2017")
    assert forecast.evaluations == study.work.evaluations == 6 * (1 + 3 * repeats * 5)
    assert forecast.engine == study.work.engine
    assert forecast.seconds > 0


def test_multiply_adds_by_hand(network, images):
    """Only the dense layer is evaluated whole: a 4 × 4 region reaches 6 × 6 and then 8 × 8 positions."""
    forecast = hp.plan_comparison(network, images, METHODS, **OPTIONS, engine="incremental", protocol="samek2017")
    dense = 5 * 512
    assert forecast.step.in_full == 4 * 18 * 18 * 27 + 2 * 16 * 16 * 36 + dense
    windows = 4 * 6 * 6 * 27 + 2 * 8 * 8 * 36
    assert windows <= forecast.step.multiply_adds <= windows + dense
    in_full = hp.plan_comparison(network, images, METHODS, **OPTIONS, engine="full", protocol="samek2017")
    assert in_full.step.multiply_adds == in_full.step.in_full == forecast.step.in_full


@pytest.mark.parametrize(
    ("begin", "step", "steps", "followed"),
    [
        (0.5, 0.01, 25, [1, 8, 25]),  # so fast that all steps are followed
        (0.5, 0.125, 25, [1, 8, 16]),  # as many as take three seconds with a beginning
        (2.0, 1.0, 25, [1, 8, 1]),  # so slow that a few steps must do
        (0.5, 0.01, 5, [1, 5, 1]),
    ],
)
def test_beginning_and_going_on_are_told_apart(network, images, clock, begin, step, steps, followed):
    seen = clock(begin, step)
    forecast = hp.plan_comparison(network, images, METHODS, regions=4, steps=steps, protocol="samek2017")
    assert seen == followed
    batches = 6 * 3 / forecast.measured.sequences
    assert forecast.perturbation_seconds == pytest.approx(batches * (begin + steps * step))
    assert forecast.measured.steps == max(followed)


def test_a_long_run_is_measured_longer(network, images, clock):
    """Of two steps a second, six are followed in three seconds, but thirty in fifteen."""
    seen = clock(0.0, 0.5)
    hp.plan_comparison(network, images, METHODS, regions=2, steps=100, protocol="samek2017")
    hp.plan_comparison(network, images, METHODS, regions=2, steps=100, repeats=100, memory=2**20, protocol="samek2017")
    assert seen == [1, 8, 1, 1, 8, 30]


def test_a_single_step_is_measured_whole(network, images, clock):
    assert clock(0.5, 0.25) == []
    forecast = hp.plan_comparison(network, images, METHODS, regions=4, steps=1, protocol="samek2017")
    assert forecast.perturbation_seconds == pytest.approx(6 * 3 / forecast.measured.sequences * 0.75)


def test_time_grows_with_the_images(network, images, clock, monkeypatch):
    clock(0.5, 0.25)
    monkeypatch.setattr(hp.Network, "batch_size", lambda *_args, **_options: 3)
    one = hp.plan_comparison(network, images, METHODS, **OPTIONS, protocol="samek2017")
    ten = hp.plan_comparison(network, images.repeat(10, 1, 1, 1), METHODS, **OPTIONS, protocol="samek2017")
    assert (one.measured.images, ten.measured.images) == (3, 3)
    assert one.measured.sequences == ten.measured.sequences
    assert ten.perturbation_seconds == pytest.approx(10 * one.perturbation_seconds)


@pytest.mark.parametrize("memory", [2**20, 2**24, 2**31])
@pytest.mark.parametrize(("count", "repeats"), [(1, 1), (6, 1), (2, 20)])
def test_no_more_is_measured_than_goes_side_by_side(network, images, memory, count, repeats):
    forecast = hp.plan_comparison(
        network,
        images[:count],
        METHODS,
        **OPTIONS,
        repeats=repeats,
        memory=memory,
        engine="incremental",
        protocol="samek2017",
    )
    assert 1 <= forecast.measured.sequences <= forecast.step.at_once <= count * 3 * repeats
    assert forecast.step.at_once * forecast.step.bytes_each <= memory or forecast.step.at_once == 1
    assert forecast.measured.sequences > 0.7 * forecast.step.at_once


def test_own_methods_maps_targets_and_region_maps(network, images):
    regions = torch.arange(4).reshape(2, 2).repeat_interleave(10, 0).repeat_interleave(10, 1)
    given = {"mine": lambda _network, x, _targets: x.sum(dim=1), "maps": images.sum(dim=1), "LRP": "lrp-epsilon"}
    targets = torch.zeros(6, dtype=torch.int64)
    for maps in (regions, torch.stack([regions, regions.T.flip(0), regions, regions, regions, regions])):
        forecast = hp.plan_comparison(network, images, given, regions=maps, targets=targets, protocol="samek2017")
        assert forecast.evaluations == 6 * (1 + 4 * 4)
    only_maps = hp.plan_comparison(network, images, {"maps": images.sum(dim=1)}, regions=regions, protocol="samek2017")
    assert only_maps.evaluations == 6 * (1 + 2 * 4)


def test_a_network_without_a_graph_is_evaluated_whole_and_says_why(images):
    class Branching(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :4] * (2.0 if x.sum() > 0 else 1.0)

    forecast = hp.plan_comparison(hp.Network(Branching()), images, ["sensitivity-l2"], **OPTIONS, protocol="samek2017")
    assert (forecast.engine.name, forecast.engine.nodes, forecast.step.in_full) == ("full", 0, 0)
    assert "Branching has no graph" in str(forecast)
    assert "multiply-adds" not in str(forecast)
    with pytest.raises(hp.InputError, match="lrp-epsilon needs the network's graph"):
        hp.plan_comparison(hp.Network(Branching()), images, ["lrp-epsilon"], **OPTIONS, protocol="samek2017")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": 26}, "between 1 and the number of regions, 25, got 26"),
        ({"engine": "fast"}, "unknown engine 'fast'"),
        ({"score": "logits"}, "did you mean 'logit'"),
        ({"repeats": 0}, "repeats must be a whole number from 1 to"),
    ],
)
def test_what_compare_refuses_is_refused(network, images, changed, message):
    with pytest.raises(hp.InputError, match=message):
        hp.plan_comparison(network, images, METHODS, **OPTIONS | changed, protocol="samek2017")


def forecast_of(**changed):
    values = {
        "images": 16, "methods": 2, "repeats": 1, "steps": 100, "scored": 100, "lerf": False,
        "engine": Engine("incremental", 58, 65, "the fastest plan, as measured"),
        "step": StepCost(208_000_000, 736_000_000, 24, 9_900_000, 2**31),
        "preparing_seconds": 1.25, "heatmap_seconds": 2.5, "perturbation_seconds": 16.0,
        "measured": Measured(8, 24, 32, 5.0),
    }  # fmt: skip
    return Forecast(**values | changed)


def test_a_forecast_in_words():
    rows = dict(forecast_of().table().rows)
    assert rows == {
        "evaluations": "4,816 = 16 images × (2 methods + random order) × 100 steps + 16 untouched",
        "engine": "incremental: 58 of 65 nodes on windows (the fastest plan, as measured)",
        "multiply-adds": "208 M a step; the whole network needs 736 M, 3.5 times as many",
        "memory": "9.9 MB for each sequence, 24 sequences at once: 238 MB of 2.15 GB",
        "expected time": ("20 s: preparing 1.2 s, heatmaps 2.5 s, perturbation 16 s (301 evaluations a second)"),
        "measured": "in 5.0 s: heatmaps of 8 images, 24 sequences over 32 steps",
    }
    whole = dict(
        forecast_of(repeats=10, engine=Engine("full", 0, 65, "asked for"), step=StepCost(5, 5, 8, 0, 2**31))
        .table()
        .rows
    )
    assert "× 10 repeats ×" in whole["evaluations"]
    assert whole["engine"] == "full: the whole network at each step (asked for)"
    assert whole["multiply-adds"] == "5 a step"
    assert whole["memory"] == "8 perturbed images at once, within 2.15 GB"


def test_a_tiny_run_is_said_to_be_tiny():
    assert "little longer than measuring" in str(forecast_of(perturbation_seconds=4.0))
    assert "little longer than measuring" not in str(forecast_of())


def test_a_forecast_can_be_written_as_json():
    record = json.loads(json.dumps(forecast_of().describe()))
    assert (record["evaluations"], record["seconds"], record["engine"]["nodes"]) == (4816, 19.75, 65)
    assert "<table" in forecast_of()._repr_html_()


def test_measures_that_evaluate_further_are_planned_as_they_come_out(network, images):
    given = {"regions": 9, "steps": "all", "lerf": True, "audit": 0}
    plain = hp.plan_comparison(network, images, METHODS, **given, protocol="samek2017")
    more = hp.plan_comparison(
        network, images, METHODS, measures=["naopc[beam=2]", "single-region"], **given, protocol="samek2017"
    )
    study = hp.compare(network, images, METHODS, measures=["single-region"], **given, protocol="samek2017")
    alone = hp.plan_comparison(network, images, METHODS, measures=["single-region"], **given, protocol="samek2017")
    assert plain.further.evaluations == 0
    assert alone.evaluations + alone.further.evaluations == study.work.evaluations
    assert more.further.evaluations > alone.further.evaluations
    assert more.seconds > more.further.seconds > 0
    assert "more evaluations, in full" in str(more)
