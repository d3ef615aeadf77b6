"""Variance components against closed forms, slow loops, and simulation with known components."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from torch import nn

from heatproof import InputError, Network, aopc, perturb
from heatproof.measures.components import components, drops_of, numbers_of_steps, step_variance
from heatproof.perturbation.orders import scored_steps, stratum_ends

STEPS = 12


def nested(images, repeats, *, seed, between=3.0, within=1.5, wiggle=0.8, steps=STEPS):
    """Drops (N, T, L + 1): an image's part, a repeat's part and noise at every step, all with known variances."""
    generator = np.random.default_rng(seed)
    drops = np.zeros((images, repeats, steps + 1))
    drops[..., 1:] = (
        5.0 + between * generator.normal(size=(images, 1, 1)) + within * generator.normal(size=(images, repeats, 1))
    )
    drops[..., 1:] += wiggle * generator.normal(size=(images, repeats, steps))
    return drops


def known(between=3.0, within=1.5, wiggle=0.8, steps=STEPS):
    """Variances of the AOPC between images and between repeats in what ``nested`` makes."""
    share = steps / (steps + 1)
    return (share * between) ** 2, (share * within) ** 2 + steps * wiggle**2 / (steps + 1) ** 2


def estimates(drops, scored):
    """What each draw of the scored steps (N, T, K) makes of the AOPC, (N, T)."""
    sizes = stratum_ends(drops.shape[2] - 1, scored.shape[2]).diff().numpy()
    return (sizes * np.take_along_axis(drops, scored, axis=2)).sum(axis=2) / drops.shape[2]


def test_images_and_repeats_by_hand():
    """AOPC 1, 3 and 5, 7: repeats vary by 2; means 2 and 6 vary by 8, of which repeats make 2 / 2."""
    values = np.array([[1.0, 3.0], [5.0, 7.0]])
    found = components(np.stack([np.zeros((2, 2)), 2 * values], axis=2))
    assert (found.mean, found.images, found.repeats, found.steps, found.ties) == (4, 7, 2, {1: 0.0}, 0)
    assert found.standard_error(images=8, repeats=4, scored=1) == pytest.approx(((7 + 2 / 4) / 8) ** 0.5)


def test_images_and_repeats_as_a_loop():
    """The sums of squares of the one-way analysis of variance, written out."""
    drops = nested(7, 3, seed=0)
    values = drops.mean(axis=2)
    grand = sum(sum(row) for row in values) / 21
    inside = sum((value - sum(row) / 3) ** 2 for row in values for value in row) / (7 * 2)
    outside = sum(3 * (sum(row) / 3 - grand) ** 2 for row in values) / 6
    found = components(drops)
    assert (found.mean, found.repeats) == pytest.approx((grand, inside))
    assert found.images == pytest.approx((outside - inside) / 3)


def test_images_and_repeats_are_estimated_without_bias():
    pilots = [components(nested(16, 2, seed=seed)) for seed in range(600)]
    expected = known()
    for name, truth in zip(("images", "repeats"), expected, strict=True):
        values = np.array([getattr(pilot, name) for pilot in pilots])
        assert abs(values.mean() - truth) < 4 * values.std() / 600**0.5


def test_the_variance_of_a_design_is_what_simulation_finds():
    """Means over 8 images with 2 repeats and 3 of 12 steps, drawn as they are in a run, 1000 times."""
    images, repeats, scored = 8, 2, 3
    drops = nested(1000 * images, repeats, seed=1, wiggle=8.0)
    drawn = scored_steps(STEPS, scored, repeats=repeats, seed=0, ids=[str(i) for i in range(len(drops))]).numpy()
    means = estimates(drops, drawn).mean(axis=1).reshape(-1, images).mean(axis=1)
    found = components(drops)
    expected = found.standard_error(images, repeats, scored)
    assert means.std(ddof=1) == pytest.approx(expected, rel=4 / (2 * 1000) ** 0.5)
    without_steps = found.standard_error(images, repeats, STEPS)
    assert expected > 1.15 * without_steps  # or the test would not see them


@pytest.mark.parametrize("scored", range(1, 8))
def test_steps_of_a_line_have_a_closed_form(scored):
    """A drop of 2k after step k: the mean of n neighbours varies by (n² − 1) / 12 · 2²."""
    drops = np.broadcast_to(2.0 * np.arange(STEPS + 1), (3, 2, STEPS + 1))
    sizes = stratum_ends(STEPS, scored).diff().numpy()
    expected = float((sizes**2 * (sizes**2 - 1) / 12 * 4).sum()) / (STEPS + 1) ** 2
    assert step_variance(drops, scored) == pytest.approx(expected)
    assert components(drops).steps[scored] == pytest.approx(expected)


@pytest.mark.parametrize("scored", [1, 2, 3, 7])
def test_steps_equal_the_variance_over_all_draws(scored):
    """Every draw of one step in each stratum, one after the other."""
    steps = 7
    drops = nested(3, 2, seed=2, steps=steps)
    ends = stratum_ends(steps, scored).tolist()
    strata = [range(low + 1, high + 1) for low, high in pairwise(ends)]
    expected = []
    for curve in drops.reshape(6, -1):
        found = [
            sum(len(stratum) * curve[step] for stratum, step in zip(strata, draw, strict=True)) / (steps + 1)
            for draw in product(*strata)
        ]
        expected.append(np.var(found))
    assert step_variance(drops, scored) == pytest.approx(np.mean(expected), abs=1e-12)


def test_all_steps_add_nothing_and_few_add_most():
    drops = nested(6, 2, seed=3).cumsum(axis=2)
    steps = components(drops).steps
    assert steps[STEPS] == 0
    assert max(steps, key=lambda number: steps[number]) == 1
    assert min(steps.values()) >= 0


def test_steps_do_not_see_a_large_constant():
    drops = nested(6, 2, seed=3)
    np.testing.assert_allclose(step_variance(drops + 1e8, 3), step_variance(drops, 3), rtol=1e-6)


def test_numbers_of_steps_hold_all_small_ones_and_all():
    for steps in (1, 2, 9, 100, 625, 50_000):
        numbers = numbers_of_steps(steps)
        assert numbers[0] == 1
        assert numbers[-1] == steps
        assert len(numbers) <= 120
    assert set(range(1, 21)) <= set(numbers_of_steps(100))


def test_ties_are_half_the_squared_difference_of_two_shuffles():
    """Each shuffle moves an image by a draw of its own (sd 2), each repeat by another (sd 1)."""
    generator = np.random.default_rng(0)
    pilots = []
    for _ in range(400):
        shuffles = 2 * generator.normal(size=(2, 10, 1)) + generator.normal(size=(2, 10, 3))
        drops = np.stack([np.zeros_like(shuffles), 2 * shuffles], axis=-1)
        pilots.append(components(*drops).ties)
    assert abs(np.mean(pilots) - 4) < 4 * np.std(pilots) / 400**0.5


def test_without_ties_another_shuffle_is_no_other():
    drops = nested(4, 2, seed=0)
    assert components(drops, drops).ties == components(drops).ties == 0


def test_a_shift_changes_nothing_and_a_scale_goes_in_squared():
    drops = nested(9, 3, seed=4)
    found, moved = components(drops), components(-3 * drops + 2)
    assert moved.mean == pytest.approx(-3 * found.mean + 2)
    for name in ("images", "repeats"):
        assert getattr(moved, name) == pytest.approx(9 * getattr(found, name))
    assert list(moved.steps.values()) == pytest.approx([9 * value for value in found.steps.values()], abs=1e-12)


def test_what_is_below_zero_is_reported_as_zero():
    """Repeats that differ more than images do: their variance cannot be told from none."""
    values = np.array([[1.0, 9.0], [9.0, 1.0]])
    found = components(np.stack([np.zeros((2, 2)), 2 * values], axis=2))
    assert found.images == -16
    assert found.deviations(1) == (0, pytest.approx(32**0.5), 0, 0)
    assert found.variance(1, 1) == 32
    assert found.variance(4, 1) == 8


def test_drops_of_curves_need_all_steps():
    network = Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 12, 2)))
    images = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    given = {"order": "random", "regions": 3, "steps": 9, "repeats": 2}
    curves = perturb(network, images, **given)
    drops = drops_of(curves)
    assert drops.shape == (3, 2, 10)
    assert drops[1, 1, 4] == curves.scores[1, 1, 0].double() - curves.scores[1, 1, 4].double()
    np.testing.assert_allclose(drops.mean(axis=(1, 2)), aopc(curves), rtol=1e-6)
    with pytest.raises(InputError, match="need the scores after all 9 steps, got 3"):
        drops_of(perturb(network, images, **given, scored=3))


@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 1, 3), (2, 2, 1), (2, 2), (2, 2, 2, 2)])
def test_too_little_to_tell_components_apart(shape):
    with pytest.raises(InputError, match="at least two images with two repeats and a step, got"):
        components(np.zeros(shape))


def test_drops_that_are_no_numbers():
    drops = nested(3, 2, seed=0)
    drops[0, 0, 1] = np.nan
    with pytest.raises(InputError, match="drops must be finite"):
        components(drops)
