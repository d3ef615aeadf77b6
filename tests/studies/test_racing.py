"""Stopping when it is settled must say nothing wrong, cost less, and depend on nothing but the images and the seed."""

import numpy as np
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.report.studies.ranking import ranking_verdict
from heatproof.results.part import REFERENCE
from heatproof.results.ranking import rank
from heatproof.results.settlement import FIRST_LOOK, Rule
from heatproof.studies.racing import LOOK, Race, at_random, planned_looks

MAPS = (3, 18, 18)


@pytest.fixture(scope="module")
def network():
    """The score is the sum of the pixels, so that a map of the image itself is the best there is."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 18 * 18, 2, bias=False))
    with torch.no_grad():
        module[1].weight[:] = torch.tensor([[1.0], [0.5]])
    return hp.Network(module)


@pytest.fixture(scope="module")
def images():
    return torch.rand(240, *MAPS, generator=torch.Generator().manual_seed(0)) ** 4


def noise(network, images, targets):
    """Depends on nothing but the image."""
    return torch.stack([torch.sin(1e4 * image.sum(dim=0)) for image in images])


METHODS = {
    "best": lambda network, images, targets: images.sum(dim=1),
    "twin": lambda network, images, targets: 3 * images.sum(dim=1),
    "worst": lambda network, images, targets: -images.sum(dim=1),
    "noise": noise,
}
OPTIONS = {"regions": 6, "steps": 6, "replacement": "constant"}


@pytest.fixture(scope="module")
def study(network, images):
    return hp.compare(network, images, METHODS, until="ranked", indifference=2.0, **OPTIONS, protocol="samek2017")


def test_the_ranking_is_settled_with_fewer_images_than_there_are(study):
    placed = {pair: standing.placed for pair, standing in study.settlement.standings.items()}
    assert placed["best", REFERENCE] == placed["twin", REFERENCE] == placed["best", "worst"] == "higher"
    assert placed["worst", REFERENCE] == placed["worst", "noise"] == "lower"
    assert placed["best", "twin"] == "equal"
    assert len(study.names) < 240


def test_a_method_that_is_placed_gets_no_more_images(study):
    got = study.settlement.images
    assert got == {name: len(curves.images) for name, curves in study.morf.items()}
    assert got["worst"] < got["noise"] == got[REFERENCE] == len(study.names)
    assert study.work.evaluations < len(study.names) * (1 + 5 * 6)


def test_what_was_computed_is_what_a_plain_comparison_computes(study, network, images):
    plain = hp.compare(network, images, METHODS, **OPTIONS, protocol="samek2017")
    for name, curves in study.morf.items():
        where = [plain.morf[name].images.index(image) for image in curves.images]
        torch.testing.assert_close(curves.scores, plain.morf[name].scores[where], atol=1e-4, rtol=1e-5)
    assert (
        study.names
        == tuple(plain.names[where] for where in at_random(plain.morf["best"].images, seed=0))[: len(study.names)]
    )


def test_the_order_given_makes_no_difference(study, network, images):
    other = hp.compare(
        network, images.flip(0), METHODS, until="ranked", indifference=2.0, **OPTIONS, protocol="samek2017"
    )
    assert other.morf["noise"].images == study.morf["noise"].images
    assert other.settlement.standings == study.settlement.standings


def test_images_come_in_an_order_of_their_own_that_the_seed_changes(study, network, images):
    names = [f"image {number}" for number in range(len(study.names))]
    assert list(study.names) != names
    ids = [str(number) for number in range(50)]
    assert sorted(at_random(ids, seed=0)) == list(range(50))
    assert at_random(ids, seed=0) != at_random(ids, seed=1)


def test_signs_alone_are_settled_sooner(study, network, images):
    signs = hp.compare(network, images, METHODS, until="signs", indifference=2.0, **OPTIONS, protocol="samek2017")
    assert set(signs.settlement.standings) == {(name, REFERENCE) for name in METHODS}
    assert len(signs.names) <= len(study.names)


def test_what_is_not_settled_stays_open(network, images):
    few = hp.compare(network, images[:24], METHODS, until="ranked", indifference=0.0, **OPTIONS, protocol="samek2017")
    assert ("noise", REFERENCE) in few.settlement.open
    assert len(few.names) == 24


def test_progress_ends_at_its_total(network, images):
    seen = []
    hp.compare(
        network,
        images,
        METHODS,
        until="ranked",
        indifference=2.0,
        **OPTIONS,
        on_progress=lambda *at: seen.append(at),
        protocol="samek2017",
    )
    done, total = seen[-1]
    assert done == total
    assert [at[0] for at in seen] == sorted(at[0] for at in seen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"until": "rank"},
            r"unknown stopping rule \(until\) 'rank'; did you mean 'ranked'\? known: signs, ranked",
        ),
        ({"until": "ranked", "indifference": -1}, "indifference must be 0 or more, in the score's unit, got -1"),
        ({"until": "ranked", "indifference": float("nan")}, "indifference must be 0 or more"),
        ({"indifference": 1.0}, "indifference needs until"),
    ],
)
def test_rules_that_cannot_be(network, images, options, message):
    with pytest.raises(hp.InputError, match=message):
        hp.compare(network, images, METHODS, **options, **OPTIONS, protocol="samek2017")


def runs(means, *, count, seed, skewness=1.0, images=200, indifference=0.0):
    """Races of methods whose AOPC has these means above the random order's, with noise as seen in real ones.

    On ILSVRC2012 with SqueezeNet, AOPCs have a standard deviation of 6 to 8 over images, their differences one of 1.7
    to 6, with a skewness up to 1: images share much (here 5.5), and methods add 3 (a gamma distribution).
    """
    generator = np.random.default_rng(seed)
    names = [f"method {number}" for number in range(len(means) - 1)]
    for _ in range(count):
        shape = 4 / skewness**2
        own = (generator.gamma(shape, size=(len(means), images)) - shape) / shape**0.5
        values = 8 + np.array(means)[:, None] + 5.5 * generator.standard_normal(images) + 3 * own
        race = Race({name: [REFERENCE] for name in names}, Rule("ranked", indifference), given=images)
        for start in range(0, images, LOOK):
            running = race.running
            if not running:
                break
            rows = [[*names, REFERENCE].index(name) for name in running]
            found = dict(zip(running, values[rows, start : start + LOOK], strict=True))
            race.add(found, found.get(REFERENCE))
            race.look()
        yield race.settlement


def share_of_errors(settlements, truth):
    """How often at least one thing that is wrong is said."""
    wrong = [
        any(standing.placed not in ("open", truth) for standing in settled.standings.values())
        for settled in settlements
    ]
    return np.mean(wrong)


@pytest.mark.parametrize("skewness", [0.2, 1.0])
def test_methods_that_are_equal_seldom_differ_significantly(skewness):
    settled = runs([0.0] * 4, count=200, seed=0, skewness=skewness, images=120)
    assert share_of_errors(settled, "equal") <= 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("skewness", [0.2, 1.0, 2.0])
def test_the_family_wise_error_is_kept_under_continuous_looking(skewness):
    """2000 races: no method differs from another or from the random order, and one looks after every 8 images."""
    assert share_of_errors(runs([0.0] * 5, count=2000, seed=1, skewness=skewness), "equal") <= 0.05


@pytest.mark.slow
def test_methods_at_the_edge_of_the_indifference_are_seldom_called_equal():
    settled = list(runs([1.0, 0.0], count=2000, seed=2, images=400, indifference=1.0))
    assert np.mean([pair.placed == "equal" for race in settled for pair in race.standings.values()]) <= 0.05


def test_methods_that_differ_are_placed_rightly_and_cheaply():
    settled = list(runs([6.0, 3.0, -2.0, 0.0], count=20, seed=3, images=400))
    assert all(race.open == [] for race in settled)
    assert all(standing.placed == "higher" for race in settled for pair, standing in race.standings.items()
               if pair != ("method 2", REFERENCE))  # fmt: skip
    assert np.mean([race.images["method 0"] for race in settled]) < np.mean(
        [max(race.images.values()) for race in settled]
    )


# --- methods with different numbers of images


def raced(seed, count=200):
    """A race of methods that hardly differ: images differ far more, so means over other images mislead."""
    generator = np.random.default_rng(seed)
    common = 7 + 2 * generator.standard_normal(count)
    values = {
        name: common + ahead + spread * generator.standard_normal(count)
        for name, ahead, spread in (("a", 0.3, 0.1), ("b", 0.0, 0.1), ("c", 0.31, 0.5))
    }
    values[REFERENCE] = 1 + 0.5 * generator.standard_normal(count)
    values["noise"] = values[REFERENCE] + 0.5 * generator.standard_normal(count)
    race = Race({name: [REFERENCE] for name in ("a", "b", "c", "noise")}, Rule("ranked", 0.01), given=count)
    for start in range(0, count, LOOK):
        running = race.running
        race.add(
            {name: values[name][start : start + LOOK] for name in running}, values[REFERENCE][start : start + LOOK]
        )
        race.look()
        if not race.running:
            break
    return race


@pytest.mark.parametrize("seed", range(20))
def test_the_ranking_says_what_was_settled(seed):
    race = raced(seed)
    found = rank(race.values, REFERENCE, race.settlement.judge)
    assert not any(one.below for one in found.differences.values())
    placed = {pair: one.placed for pair, one in race.settlement.standings.items() if REFERENCE not in pair}
    for (first, second), standing in placed.items():
        higher, lower = (first, second) if standing == "higher" else (second, first)
        if standing in ("higher", "lower"):
            assert found.differences[higher, lower].above
            assert found.methods.index(higher) < found.methods.index(lower)
    clear = [pair for pair, one in found.differences.items() if one.significant]
    said = " ".join(ranking_verdict(found))
    if len(clear) == len(found.differences):
        assert "All pairs of methods are significantly different" in said


def test_the_indifference_is_that_of_the_first_look():
    race = Race({"a": [REFERENCE]}, Rule("signs"), given=200)
    of_random = np.linspace(1, 3, 200)
    race.add({"a": of_random[:40], REFERENCE: of_random[:40]}, of_random[:40])
    first = race.indifference
    assert first == pytest.approx(0.1 * of_random[:FIRST_LOOK].mean())
    race.add({"a": of_random[40:], REFERENCE: of_random[40:]}, of_random[40:])
    assert race.indifference == first


def test_looks_are_planned_to_the_last_image_and_never_many():
    assert planned_looks(200) == (*range(32, 200, 8), 200)
    for given in (33, 1000, 16_416, 10**7):
        looks = planned_looks(given)
        gaps = np.diff(looks[:-1])
        assert looks[0] == FIRST_LOOK
        assert looks[-1] == given
        assert (gaps >= LOOK).all()
        assert (gaps <= np.maximum(LOOK, np.array(looks[:-2]) / 50)).all()
    assert len(planned_looks(10**7)) < 1000


def test_the_upper_mark_has_the_images_until_the_first_look(network, images):
    methods = {"noise": noise, "twin": METHODS["twin"]}
    study = hp.compare(network, images[:64], methods, until="signs", protocol="coarse-blur", audit=0)
    assert len(study.morf["occlusion"].images) == FIRST_LOOK
    assert study.morf["occlusion"].images == study.morf["noise"].images[:FIRST_LOOK]
    (mark,) = [one for name, one in study.assay.controls.items() if name == "occlusion"]
    assert mark.rivals
    assert "not even occlusion" not in " ".join(study.verdict) or not mark.shown
