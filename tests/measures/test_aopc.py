import dataclasses

import pytest
import torch

from heatproof import Curves, aopc, aopc_curve
from heatproof.perturbation import Engine, Protocol
from heatproof.perturbation.removal import HeldRemoval


def explicit(scores):
    """1/(L + 1) · Σ_{k=0..L} f(x⁽⁰⁾) − f(x⁽ᵏ⁾), term by term, averaged over repeats; (N, repeats, L + 1) -> (N,)."""
    of_images = []
    for image in scores.tolist():
        of_repeats = [sum(f[0] - f[k] for k in range(len(f))) / len(f) for f in image]
        of_images.append(sum(of_repeats) / len(of_repeats))
    return torch.tensor(of_images, dtype=torch.float64)


def curves_of(scores):
    count, repeats, columns = scores.shape
    return Curves(
        scores=scores,
        removal=HeldRemoval(
            torch.arange(columns - 1).expand(count, 1, -1),
            torch.linspace(0, 1, columns).expand(count, 1, -1),
        ),
        scored=torch.arange(columns).expand(count, 1, -1),
        targets=torch.zeros(count, dtype=torch.int64),
        images=tuple(map(str, range(count))),
        order="given",
        protocol=Protocol(repeats=repeats),
        engine=Engine("full", 0, 0, "asked for"),
    )


@pytest.fixture
def scores():
    return torch.randn(4, 3, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([1.0, 0.0], 1 / 2),  # L = 1: (0 + 1) / 2
        ([1.0, 0.5, 0.0], 1 / 2),
        ([4.0, 1.0, 1.0, 1.0], 9 / 4),
        ([2.0, 3.0, 4.0], -1.0),  # a score that rises
        ([5.0], 0.0),  # nothing removed
        ([7.0] * 6, 0.0),
        ([0.0, -10.0], 5.0),
    ],
)
def test_hand_values(curve, expected):
    torch.testing.assert_close(aopc(torch.tensor([curve])), torch.tensor([expected]))


@pytest.mark.parametrize("steps", [1, 2, 9, 100])
def test_linear_fall_to_zero_gives_half_of_the_start(steps):
    """Σ k/L = (L + 1)/2 for k = 0 … L."""
    curve = torch.linspace(6, 0, steps + 1, dtype=torch.float64)
    torch.testing.assert_close(aopc(curve[None]), torch.tensor([3.0], dtype=torch.float64))


@pytest.mark.parametrize("steps", [1, 4, 100])
def test_fall_at_the_first_step_gives_l_over_l_plus_1(steps):
    curve = torch.zeros(1, steps + 1, dtype=torch.float64)
    curve[0, 0] = 1
    torch.testing.assert_close(aopc(curve), torch.tensor([steps / (steps + 1)], dtype=torch.float64))


@pytest.mark.parametrize("steps", [3, 50])
def test_geometric_fall(steps):
    """f = qᵏ: AOPC = 1 − (1 − qᴸ⁺¹)/((1 − q)·(L + 1))."""
    q = 0.9
    curve = q ** torch.arange(steps + 1, dtype=torch.float64)
    expected = 1 - (1 - q ** (steps + 1)) / ((1 - q) * (steps + 1))
    torch.testing.assert_close(aopc(curve[None]), torch.tensor([expected], dtype=torch.float64))


def test_equals_the_explicit_sum(scores):
    torch.testing.assert_close(aopc(scores), explicit(scores))


def test_curve_at_l_is_the_aopc_of_the_first_l_steps(scores):
    found = aopc_curve(scores)
    assert found.shape == (4, 8)
    for length in range(8):
        torch.testing.assert_close(found[:, length], explicit(scores[..., : length + 1]))
        torch.testing.assert_close(found[:, length], aopc(scores[..., : length + 1]))


def test_curve_starts_at_zero(scores):
    assert torch.equal(aopc_curve(scores)[:, 0], torch.zeros(4, dtype=torch.float64))


def test_curves_and_their_scores_give_the_same(scores):
    curves = curves_of(scores)
    assert torch.equal(aopc(curves), aopc(scores))
    assert torch.equal(aopc_curve(curves), aopc_curve(scores))


def test_scores_without_repeats_are_one_repeat(scores):
    assert torch.equal(aopc(scores[:, 0]), aopc(scores[:, :1]))


def test_repeats_are_averaged(scores):
    each = torch.stack([aopc(scores[:, repeat]) for repeat in range(3)])
    torch.testing.assert_close(aopc(scores), each.mean(dim=0))


def test_linear_in_the_scores_and_blind_to_an_offset(scores):
    torch.testing.assert_close(aopc(3 * scores + 100), 3 * aopc(scores))


def test_higher_is_better_for_what_falls_faster():
    fast, slow = torch.tensor([[3.0, 1.0, 0.0]]), torch.tensor([[3.0, 2.0, 0.0]])
    assert bool(aopc(fast) > aopc(slow))


def test_abpc_is_the_difference_of_two_aopc(scores):
    """ABPC = 1/(L + 1) · Σ f(x_LeRF) − f(x_MoRF), for curves that start at the same score."""
    morf, lerf = scores[:2, 0].clone(), scores[2:, 0].clone()
    lerf[:, 0] = morf[:, 0]
    torch.testing.assert_close(aopc(morf) - aopc(lerf), (lerf - morf).mean(dim=1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept(scores, dtype):
    assert aopc(scores.to(dtype)).dtype == dtype


def test_long_curves_keep_their_digits_in_float32():
    """A running sum of 100 001 float32 values would lose three digits."""
    curve = torch.full((1, 100_001), 0.9)
    curve[0, 0] = 1
    expected = torch.tensor([0.1 * 100_000 / 100_001])
    torch.testing.assert_close(aopc(curve), expected, rtol=1e-6, atol=1e-7)


def test_curves_are_frozen(scores):
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'scores'"):
        curves_of(scores).scores = scores


def test_integer_scores():
    assert float(aopc(torch.tensor([[2, 1, 0, 0]]))) == 1.25


@pytest.mark.parametrize("shape", [(3,), (1, 1, 1, 3), (2, 0)])
def test_scores_of_another_shape(shape):
    with pytest.raises(ValueError, match="scores must have shape"):
        aopc(torch.zeros(shape))
