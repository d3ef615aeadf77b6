"""The planner: its pilot sees what a comparison sees, and its designs are the best of all."""

import json
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.measures.components import components
from heatproof.perturbation import Protocol
from heatproof.results.part import REFERENCE
from heatproof.studies.planning import pace as pacing
from heatproof.studies.planning.costs import Costs, Design, measure_costs
from heatproof.studies.planning.design import Proposal, half_width, images_for, propose, worst_variance
from heatproof.studies.planning.goal import Goal
from heatproof.studies.planning.pilot import Pilot, run_pilot
from heatproof.studies.task import Task

METHODS = ["lrp-epsilon", "sensitivity-l2"]
STEPS = 10
COSTS = Costs(preparing=1.0, heatmaps=0.5, orders=3, paces={1: 0.01, 10: 0.05})


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.Flatten(), nn.Linear(512, 5))
    return hp.Network(module)


@pytest.fixture(scope="module")
def images():
    return torch.rand(12, 3, 20, 20, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def forecast(network, images):
    return hp.plan_comparison(
        network, images, METHODS, regions=4, steps=STEPS, half_width=0.1, pilot=6, protocol="samek2017"
    )


def task_of(network, images, methods=METHODS, **options):
    protocol = Protocol(regions=4, steps=STEPS, repeats=1, **options)
    return Task.of(network, images, methods, None, protocol)


def pilot_of(seed=0, images=12, level=5.0):
    """Curves that fall in the mean, with images, repeats and steps that differ."""
    generator = np.random.default_rng(seed)

    def drops(slope, spread):
        falling = np.linspace(0, 1, STEPS + 1) * (slope + spread * generator.normal(size=(images, 1, 1)))
        noise = generator.normal(size=(images, 2, 1)) * 0.3 + generator.normal(size=(images, 2, STEPS + 1)) * 0.2
        noise[..., 0] = 0
        return falling + noise

    found = {"good": drops(level + 4, 2.0), "poor": drops(level - 1, 1.0), REFERENCE: drops(level, 1.0)}
    return Pilot(found, found, evaluations=500, seconds=2.0)


class TestPilot:
    def test_sees_what_a_comparison_sees(self, network, images):
        pilot = run_pilot(task_of(network, images), len(images))
        study = hp.compare(network, images, METHODS, regions=4, steps=STEPS, repeats=2, audit=0, protocol="samek2017")
        for name, curves in study.morf.items():
            np.testing.assert_allclose(pilot.drops[name].mean(axis=(1, 2)), hp.aopc(curves), atol=1e-5)
        assert (pilot.images, pilot.steps, pilot.methods) == (12, STEPS, METHODS)
        assert pilot.evaluations == study.work.evaluations
        difference = pilot.drops["lrp-epsilon"] - pilot.drops[REFERENCE]
        assert pilot.above_random["lrp-epsilon"] == components(difference)
        assert list(pilot.between) == [tuple(METHODS)]

    def test_draws_its_images_by_the_seed(self, network, images):
        first, same, other = (run_pilot(task_of(network, images, seed=seed), 4).drops[REFERENCE] for seed in (0, 0, 3))
        np.testing.assert_array_equal(first, same)
        assert first.shape == (4, 2, STEPS + 1)
        assert not np.allclose(first, other)

    def test_ties_are_shuffled_again_where_there_are_any(self, network, images):
        """A constant map is a random order, once for all repeats: ties make much of what its images differ by."""
        given = {"constant": torch.zeros(12, 20, 20), "LRP": "lrp-epsilon"}
        pilot = run_pilot(task_of(network, images, given), 12)
        assert pilot.evaluations == 12 * (1 + 3 * 2 * STEPS) + 12 * (1 + 2 * STEPS)
        assert pilot.alone["LRP"].ties == pilot.alone[REFERENCE].ties == 0
        assert pilot.alone["constant"].ties > 0
        assert not np.allclose(pilot.drops["constant"], pilot.reshuffled["constant"])

    def test_needs_two_images(self, network, images):
        for count, wanted in ((1, 16), (12, 1)):
            with pytest.raises(hp.InputError, match="a pilot needs at least two images"):
                run_pilot(task_of(network, images[:count]), wanted)


def test_half_widths_are_students():
    """From a table of Student's t: 2.262 for 9 degrees of freedom."""
    assert half_width(variance=10.0, images=10) == pytest.approx(2.262157)


@pytest.mark.parametrize("precision", [0.05, 0.3, 1.0, 20.0])
@pytest.mark.parametrize("variance", [0.0, 0.5, 16.0])
def test_images_are_the_fewest_that_are_enough(variance, precision):
    """Tried one after the other."""
    images = next(number for number in range(2, 10**5) if half_width(variance, number) <= precision)
    assert images_for(variance, precision) == images


@pytest.mark.parametrize("precision", ["0.2", "0.5", "1", "20%"])
@pytest.mark.parametrize("available", [12, 60, 10**6])
def test_the_cheapest_design_of_all(precision, available):
    """A slow loop over every design with so many images."""
    pilot, goal = pilot_of(), Goal.of(precision, None)
    found = propose(pilot, COSTS, goal, available)
    half = goal.in_unit(pilot.alone[REFERENCE].mean)
    cheapest = None
    for repeats, scored in product(range(1, 11), range(1, STEPS + 1)):
        for images in range(8, min(available, 2000) + 1):
            if half_width(worst_variance(pilot, repeats, scored), images) <= half:
                design = Design(images, repeats, scored)
                if cheapest is None or COSTS.seconds(design) < COSTS.seconds(cheapest):
                    cheapest = design
                break
    if cheapest is None:
        assert found.images > available
    else:
        assert found == cheapest


@pytest.mark.parametrize("budget", [500, 5000, "20s", "2min", "1h"])
def test_the_best_design_within_a_budget(budget):
    pilot, goal, available = pilot_of(), Goal.of(None, budget), 40
    found = propose(pilot, COSTS, goal, available)
    spent = COSTS.evaluations(found) if isinstance(budget, int) else COSTS.seconds(found)
    limit = goal.evaluations or goal.seconds
    assert spent <= limit
    best = min(
        half_width(worst_variance(pilot, repeats, scored), images)
        for repeats, scored, images in product(range(1, 11), range(1, STEPS + 1), range(2, available + 1))
        if (COSTS.evaluations if isinstance(budget, int) else COSTS.seconds)(Design(images, repeats, scored)) <= limit
    )
    assert half_width(worst_variance(pilot, found.repeats, found.scored), found.images) <= 1.01 * best


def test_few_images_are_made_up_for_by_repeats():
    """Where images are scarce, repeats and steps must do; where they are not, one repeat is enough."""
    pilot = pilot_of()
    least = half_width(worst_variance(pilot, 10, STEPS), 20)
    scarce = propose(pilot, COSTS, Goal(half_width=1.001 * least), 20)
    assert (scarce.images, scarce.repeats) == (20, 10)
    assert propose(pilot, COSTS, Goal(half_width=1.001 * least), 10**6).repeats == 1


def test_dear_heatmaps_ask_for_more_steps():
    """The optimum balances what an image costs before anything is removed against what its steps cost."""
    goal = Goal(half_width=0.2)
    cheap, dear = (propose(pilot_of(), Costs(0.0, heatmaps, 3, COSTS.paces), goal, 10**6) for heatmaps in (0.0, 100.0))
    assert dear.scored * dear.repeats > cheap.scored * cheap.repeats
    assert dear.images < cheap.images


def test_costs_are_those_that_were_measured(network, images, monkeypatch):
    """Two seconds to begin what goes side by side, and a tenth for each scored step."""
    monkeypatch.setattr(pacing, "_follow", lambda _task, _orders, _batch, steps: 2.0 + 0.1 * steps)
    task = task_of(network, images)
    costs = measure_costs(task, preparing=3.0)
    assert sorted(costs.paces) == [1, 2, 3, 6, 10]
    assert (costs.preparing, costs.orders) == (3.0, 3)
    assert costs.paces[10] / costs.paces[2] == pytest.approx(3.0 / 2.2)
    assert costs.evaluations(Design(4, 2, 5)) == 4 * (1 + 3 * 2 * 5)
    assert costs.seconds(Design(4, 2, 10)) == pytest.approx(3 + 4 * (costs.heatmaps + 3 * 2 * costs.paces[10]))
    assert costs.affordable(Goal(evaluations=123), 2, 5) == 123 // 31
    assert costs.affordable(Goal(seconds=2.0), 1, 1) == 0


def test_a_budget_that_is_not_enough():
    with pytest.raises(hp.InputError, match="at most 3 evaluations is not enough for one scored step on two images"):
        propose(pilot_of(), COSTS, Goal.of(None, 3), 40)


def test_a_share_of_nothing():
    with pytest.raises(hp.InputError, match=r"AOPC is -0\.5 on the pilot's images, so a share of it is no width"):
        Goal.of("5%", None).in_unit(-0.5)


@pytest.mark.parametrize("given", ["", "0", "-1", "a", "5 per cent", "nan", "inf", "1e", 0.0, -0.5])
def test_what_is_no_half_width(given):
    with pytest.raises(hp.InputError, match=r"half-width must be half an interval's width.* such as 5%; got"):
        Goal.of(given, None)


def test_small_half_widths_are_numbers():
    assert Goal.of(1e-9, None) == Goal.of("0.000000001", None) == Goal(half_width=1e-9)
    assert Goal.of("1e-3%", None) == Goal(half_width=1e-5, relative=True)


@pytest.mark.parametrize("budget", ["", "0", "-5", "10 minutes", "2d", "1.5", "min", 0])
def test_what_is_no_budget(budget):
    with pytest.raises(hp.InputError, match=r"budget must be a number of evaluations.* 90s, 10min or 2h; got"):
        Goal.of(None, budget)


def test_goals_in_words():
    assert str(Goal.of(0.25, None)) == "a 95 % interval of ± 0.25"
    assert str(Goal.of("2.5 %", None)) == "a 95 % interval of ± 2.5 % of the random order's AOPC"
    assert str(Goal.of(None, "20000")) == "at most 20,000 evaluations"
    assert str(Goal.of(None, "2h")) == "at most 2 h 0 min"
    assert Goal.of(None, None) is None
    with pytest.raises(hp.InputError, match="half width or a budget, not both"):
        Goal.of(0.25, 100)


def test_a_plan_with_a_precision_is_a_forecast_of_its_design(forecast, network, images):
    proposal = forecast.proposal
    assert (forecast.images, forecast.repeats, forecast.scored) == (
        proposal.design.images, proposal.design.repeats, proposal.design.scored,
    )  # fmt: skip
    assert forecast.evaluations == proposal.costs.evaluations(proposal.design)
    assert proposal.half_width(proposal.design) <= 0.1
    assert proposal.costs.seconds(proposal.design) == pytest.approx(
        forecast.preparing_seconds + proposal.design.images * proposal.costs.heatmaps + forecast.perturbation_seconds
    )
    record = json.loads(json.dumps(forecast.describe()))
    assert record["proposal"]["designs"]["paper"]["repeats"] == 10
    assert record["proposal"]["variances_above_random"]["lrp-epsilon"]["steps"]["10"] == 0
    for text in ("std. error", "the paper's", "From a pilot of 6 images", "expected time"):
        assert text in str(forecast)
    assert (
        hp.plan_comparison(network, images, METHODS, regions=4, steps=STEPS, protocol="samek2017").describe()[
            "proposal"
        ]
        is None
    )


def test_a_plan_decides_repeats_and_scored_itself(network, images):
    for chosen in ({"repeats": 2}, {"scored": 5}):
        with pytest.raises(hp.InputError, match="a half width or a budget decides repeats and scored"):
            hp.plan_comparison(
                network, images, METHODS, regions=4, steps=STEPS, half_width=0.1, **chosen, protocol="samek2017"
            )


def proposal_of(design, available):
    return Proposal(design, Goal(half_width=0.5), available, pilot_of(), COSTS, "logit")


def test_a_proposal_in_words():
    proposal = proposal_of(Design(40, 1, 2), available=50)
    first, second, last = proposal.sentences
    assert first.startswith("For a 95 % interval of ± 0.5: 40 images, 1 repeat, 2 of 10 steps scored.")
    assert second.startswith("43 times fewer evaluations than the paper's 10 repeats and all steps on the same images")
    assert "± 21 %" in last  # 1 / √22
    assert proposal.missing == 0
    rows = [row[0] for row in proposal.table().rows]
    assert rows == ["good − random", "poor − random", "good − poor"]
    assert [row[:5] for row in proposal.designs_table().rows] == [
        ("planned", 40, 1, "2 of 10", "280"), ("the paper's", 40, 10, "10 of 10", "12,040"),
    ]  # fmt: skip


def test_a_method_that_is_the_random_order_is_known_exactly():
    """As constant maps on a network that ignores the image: nothing varies, and nothing is divided by."""
    drops = np.ones((4, 2, STEPS + 1))
    pilot = Pilot({"flat": drops, REFERENCE: drops}, {"flat": drops, REFERENCE: drops}, evaluations=1, seconds=1.0)
    design = propose(pilot, COSTS, Goal(half_width=0.1), 100)
    assert (design.images, design.repeats, design.scored) == (8, 1, 1)
    assert (
        "for as little standard error"
        in Proposal(design, Goal(half_width=0.1), 100, pilot, COSTS, "logit").sentences[1]
    )


def test_images_that_are_missing_are_counted():
    proposal = proposal_of(Design(60, 1, 2), available=50)
    assert proposal.missing == 10
    assert "That is 10 images more than the 50 given" in proposal.sentences[2]


def test_the_standard_error_is_that_of_the_method_that_is_known_least():
    proposal = proposal_of(Design(40, 2, 3), available=50)
    errors = [found.standard_error(40, 2, 3) for found in proposal.pilot.above_random.values()]
    assert proposal.standard_error(proposal.design) == pytest.approx(max(errors))
    assert max(row[6] for row in proposal.table().rows[:2]) == pytest.approx(max(errors))


def test_what_is_predicted_is_what_other_images_show():
    """Standard errors predicted from pilots against the spread of real means of other images, with sampled steps."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.Flatten(), nn.Linear(512, 5))
    network = hp.Network(module)
    images = torch.rand(640, 3, 20, 20, generator=torch.Generator().manual_seed(2))
    pilot = run_pilot(task_of(network, images), 200)
    study = hp.compare(
        network, images[200:], METHODS, regions=4, steps=STEPS, scored=2, audit=0, targets=None, protocol="samek2017"
    )
    for name in METHODS:
        differences = (hp.aopc(study.morf[name]) - hp.aopc(study.morf[REFERENCE])).numpy()
        expected = pilot.above_random[name].variance(1, 2) ** 0.5
        assert differences.std(ddof=1) == pytest.approx(expected, rel=0.15)
