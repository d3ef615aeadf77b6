"""ABPC against the paper's formula in a loop, AOPC, closed forms, and the traps."""

import pytest
import torch

from heatproof import InputError, abpc, aopc


def loop(morf, lerf):
    """1/(L + 1) · Σ_{k=0..L} f(x⁽ᵏ⁾_LeRF) − f(x⁽ᵏ⁾_MoRF) of each image, the mean over repeats."""
    found = []
    for falling, staying in zip(morf.tolist(), lerf.tolist(), strict=True):
        areas = []
        for low, high in zip(falling, staying, strict=True):
            steps = len(low) - 1
            areas.append(sum(high[k] - low[k] for k in range(steps + 1)) / (steps + 1))
        found.append(sum(areas) / len(areas))
    return torch.tensor(found, dtype=torch.float64)


@pytest.fixture
def scores():
    """MoRF and LeRF scores (N, repeats, L + 1) that begin alike."""
    generator = torch.Generator().manual_seed(0)
    morf, lerf = torch.randn(2, 7, 3, 11, generator=generator, dtype=torch.float64)
    lerf[..., 0] = morf[..., 0]
    return morf, lerf


def test_equals_the_loop(scores):
    torch.testing.assert_close(abpc(*scores), loop(*scores))


def test_is_aopc_of_morf_minus_aopc_of_lerf(scores):
    morf, lerf = scores
    torch.testing.assert_close(abpc(morf, lerf), aopc(morf) - aopc(lerf))


def test_one_repeat_needs_no_axis(scores):
    morf, lerf = (one[:, 0] for one in scores)
    torch.testing.assert_close(abpc(morf, lerf), loop(morf[:, None], lerf[:, None]))


def test_closed_form():
    """MoRF loses all at once, LeRF nothing: L / (L + 1) of the score; the k = 0 term is in the mean."""
    for steps in (1, 4, 100):
        morf = torch.tensor([[5.0] + [0.0] * steps])
        assert float(abpc(morf, torch.full_like(morf, 5.0))) == pytest.approx(5 * steps / (steps + 1))


def test_higher_is_better_and_swapping_changes_the_sign(scores):
    morf, lerf = scores
    torch.testing.assert_close(abpc(morf, lerf), -abpc(lerf, morf))
    assert bool((abpc(morf - 1, lerf) > abpc(morf, lerf)).all())
    assert "Higher is better" in abpc.__doc__


def test_whole_numbers_and_half_precision():
    assert float(abpc(torch.tensor([[4, 0]]), torch.tensor([[4, 3]]))) == 1.5
    large = torch.full((1, 2000), 60.0, dtype=torch.float16)
    assert float(abpc(large - 1, large)) == 1


@pytest.mark.parametrize(
    ("morf", "lerf"),
    [((2, 3), (2, 4)), ((2, 3, 3), (2, 3)), ((3,), (3,)), ((2, 0), (2, 0)), ((2, 2, 2, 2), (2, 2, 2, 2))],
)
def test_shapes_that_do_not_match(morf, lerf):
    with pytest.raises(InputError, match=r"scores .*must have .*shape,? \(N, L \+ 1\) or \(N, repeats, L \+ 1\), got"):
        abpc(torch.zeros(morf), torch.zeros(lerf))
