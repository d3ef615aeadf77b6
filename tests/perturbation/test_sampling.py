"""Scoring some of the steps, drawn at random, must estimate what scoring all of them finds."""

import pytest
import torch

from heatproof import InputError, abpc, aopc, aopc_curve, perturb
from heatproof.perturbation.orders import scored_steps, stratum_ends

STEPS = 9


def test_strata_are_as_equal_as_can_be_and_none_is_empty():
    for steps in range(1, 40):
        for scored in range(1, steps + 1):
            sizes = stratum_ends(steps, scored).diff()
            assert int(sizes.sum()) == steps
            assert steps // scored <= int(sizes.min()) <= int(sizes.max()) <= -(-steps // scored)


def test_one_step_is_drawn_in_each_stratum_each_as_often_as_the_others():
    drawn = scored_steps(11, 4, repeats=2000, seed=0, ids=["a", "b"])
    ends = stratum_ends(11, 4)
    assert bool((drawn > ends[:-1]).all())
    assert bool((drawn <= ends[1:]).all())
    counts = torch.bincount(drawn.flatten(), minlength=12)[1:] / 4000
    expected = 1 / ends.diff().repeat_interleave(ends.diff())
    torch.testing.assert_close(counts, expected, atol=4 * 0.5 / 4000**0.5, rtol=0)


def test_draws_depend_on_image_repeat_and_seed_alone():
    both = scored_steps(20, 3, repeats=2, seed=1, ids=["a", "b"])
    assert torch.equal(both[1:], scored_steps(20, 3, repeats=2, seed=1, ids=["b"]))
    assert torch.equal(both[:, :1], scored_steps(20, 3, repeats=1, seed=1, ids=["a", "b"]))
    assert not torch.equal(both, scored_steps(20, 3, repeats=2, seed=2, ids=["a", "b"]))


@pytest.fixture
def network(convolutional):
    return convolutional(torch.float64)


@pytest.fixture
def everything(network, pictures, heats):
    return perturb(network, pictures(3), heats(3), regions=6, steps=STEPS, repeats=2)


@pytest.mark.parametrize("engine", ["full", "incremental"])
@pytest.mark.parametrize("scored", [1, 2, 4, 9])
def test_scores_are_those_of_the_same_steps_when_all_are_scored(everything, network, pictures, heats, scored, engine):
    some = perturb(network, pictures(3), heats(3), regions=6, steps=STEPS, repeats=2, scored=scored, engine=engine)
    assert some.scores.shape == some.scored.shape == (3, 2, scored + 1)
    torch.testing.assert_close(some.scores, everything.scores.gather(2, some.scored), atol=2e-6, rtol=1e-5)
    assert torch.equal(some.orders, everything.orders)
    assert torch.equal(some.removed_fraction, everything.removed_fraction)


def test_scoring_every_step_changes_nothing(everything, network, pictures, heats):
    same = perturb(network, pictures(3), heats(3), regions=6, steps=STEPS, repeats=2, scored=STEPS)
    assert torch.equal(same.scores, everything.scores)
    assert everything.weights.tolist() == [1] * (STEPS + 1)
    assert everything.ends.tolist() == everything.middles.tolist() == list(range(STEPS + 1))


def test_every_average_over_steps_is_estimated_without_bias(everything, network, pictures, heats):
    """Over all draws of one step in each of two strata, the mean estimate is the value from all steps."""
    lerf = perturb(network, pictures(3), heats(3), regions=6, steps=STEPS, repeats=2, order="lerf")
    some = perturb(network, pictures(3), heats(3), regions=6, steps=STEPS, repeats=2, scored=2)
    draws = [(first, second) for first in (1, 2, 3, 4) for second in (5, 6, 7, 8, 9)]
    found, curve, between = [], [], []
    for draw in draws:
        index = torch.tensor([0, *draw]).expand(3, 2, 3)
        sampled = type(some)(**{**vars_of(some), "scores": everything.scores.gather(2, index), "scored": index})
        other = type(some)(
            **{**vars_of(some), "scores": lerf.scores.gather(2, index), "scored": index, "order": "lerf"}
        )
        found.append(aopc(sampled))
        curve.append(aopc_curve(sampled))
        between.append(abpc(sampled, other))
    torch.testing.assert_close(torch.stack(found).mean(dim=0), aopc(everything))
    torch.testing.assert_close(torch.stack(curve).mean(dim=0), aopc_curve(everything)[:, some.ends])
    torch.testing.assert_close(torch.stack(between).mean(dim=0), abpc(everything, lerf))


def vars_of(curves):
    return {name: getattr(curves, name) for name in curves.__dataclass_fields__}


def test_results_depend_neither_on_the_batch_nor_on_the_order_of_images(network, pictures, heats):
    images, maps = pictures(4), heats(4)
    given = {"regions": 6, "repeats": 2, "scored": 3, "engine": "full"}
    together = perturb(network, images, maps, **given)
    backwards = perturb(network, images.flip(0), maps.flip(0), **given)
    assert torch.equal(together.scored, backwards.scored.flip(0))
    torch.testing.assert_close(together.scores, backwards.scores.flip(0), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(perturb(network, images[1:2], maps[1:2], **given).scores, together.scores[1:2])


@pytest.mark.parametrize("scored", [0, -1])
def test_a_number_that_cannot_be(network, pictures, heats, scored):
    with pytest.raises(InputError, match=rf"scored must be .* 1.*, got {scored}"):
        perturb(network, pictures(1), heats(1), regions=6, steps=STEPS, scored=scored)


def test_a_number_that_is_none(network, pictures, heats):
    with pytest.raises(TypeError, match="scored must be a whole number"):
        perturb(network, pictures(1), heats(1), regions=6, scored=2.5)
