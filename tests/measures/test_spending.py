"""Alpha spending against the normal distribution of all looks together, and by simulation."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from heatproof.errors import InputError
from heatproof.measures import spending
from heatproof.measures.intervals import Sample
from heatproof.measures.spending import POWER, boundaries, repeated_interval
from heatproof.studies.racing import planned_looks

METHODS = 9
PAIRS = list(combinations(range(METHODS), 2))  # 8 methods against random, and with each other
LEVEL = 1 - 0.05 / len(PAIRS)
LOOKS = tuple(range(32, 201, 8))


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("level", [0.5, 0.95, LEVEL])
def test_one_look_has_the_bounds_of_the_normal_distribution(level):
    assert boundaries((40,), level) == pytest.approx([stats.norm.ppf((1 + level) / 2)])


@pytest.mark.parametrize(("looks", "level"), [((50, 100), 0.95), ((24, 60, 200), 0.9), ((10, 20, 30), 0.99)])
def test_the_error_that_was_spent_is_that_of_all_looks_together(looks, level):
    """The standardised sums at all looks are jointly normal, with correlation √(n / m) for n < m."""
    found = boundaries(looks, level)
    counts = np.array(looks)
    correlation = np.sqrt(np.minimum.outer(counts, counts) / np.maximum.outer(counts, counts))
    for seen in range(1, len(looks) + 1):
        together = stats.multivariate_normal(cov=correlation[:seen, :seen], seed=0)
        stays = together.cdf(found[:seen], lower_limit=-found[:seen])
        assert 1 - stays == pytest.approx((1 - level) * (looks[seen - 1] / looks[-1]) ** POWER, abs=2e-5)


def test_walks_leave_as_often_as_they_may():
    """A slow loop over looks, with walks instead of integrals."""
    found = boundaries(LOOKS, 0.9)
    generator, walks, last = np.random.default_rng(0), np.zeros(200_000), 0
    inside = np.ones(len(walks), dtype=bool)
    for look, z in zip(LOOKS, found, strict=True):
        walks += generator.normal(scale=np.sqrt(look - last), size=len(walks))
        inside &= np.abs(walks) <= z * np.sqrt(look)
        last = look
        assert 1 - inside.mean() == pytest.approx(0.1 * (look / 200) ** POWER, abs=4 * np.sqrt(0.1 / len(walks)))


def test_more_looks_cost_little():
    """With looks after every eighth of 5040 images, the last interval is hardly wider than with 24 looks."""
    many = boundaries((*range(24, 5040, 8), 5040), LEVEL)
    assert len(many) == 628
    assert many[-1] < 1.06 * boundaries((*range(210, 5040, 210), 5040), LEVEL)[-1]


def test_a_single_look_is_student_s_interval(rng):
    half = rng.normal(size=30)
    values = np.concatenate([5 + half, 5 - half])  # no skewness
    expected = stats.ttest_1samp(values, 5).confidence_interval(0.99)
    found = repeated_interval(values, [60], level=0.99)
    assert (found.mean, found.low, found.high) == pytest.approx((5, *expected))


def test_shift_and_scale_go_through_and_a_mirror_swaps_the_bounds(rng):
    values = rng.gamma(2, size=48)
    found, moved, mirrored = (repeated_interval(part, LOOKS, level=0.95) for part in (values, 10 * values + 7, -values))
    assert (moved.low, moved.high) == pytest.approx((10 * found.low + 7, 10 * found.high + 7))
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def test_two_identical_methods_never_separate():
    found = repeated_interval(np.zeros(104), LOOKS, level=LEVEL)
    assert (found.mean, found.low, found.high) == (0, 0, 0)


def test_a_look_that_was_not_planned_is_refused():
    with pytest.raises(InputError, match="expected as many values as at one of the looks, 24, 32, got 25"):
        repeated_interval(np.arange(25.0), [24, 32], level=0.95)


def normal(generator, shape):
    return generator.normal(size=shape)


def skewed(generator, shape):
    return generator.gamma(2, size=shape) - 2


def heavy(generator, shape):
    return generator.standard_t(5, size=shape)


def like_methods(draw):
    """Nine methods on the same images: two pairs nearly alike, the rest with a shared part; the same mean for all."""

    def drawn(generator, images):
        found = 2 * draw(generator, (*images, 1)) + draw(generator, (*images, METHODS))
        found[..., 1] = found[..., 0] + 0.001 * heavy(generator, images)
        found[..., 3] = found[..., 2] + 0.03 * heavy(generator, images)
        return np.stack([found[..., a] - found[..., b] for a, b in PAIRS], axis=-1)

    return drawn


def one_sided(generator, images):
    """Differences that are skewed to one side as methods against random are (skewness 1.4, kurtosis 3), independent."""
    return skewed(generator, (*images, len(PAIRS)))


def bounds_at_looks(values, level=LEVEL):
    """(R, K, D) low and high of (R, N, D) differences at all looks: the moments of all looks at once."""
    count = np.array(LOOKS)[:, None]
    one, two, three = (np.cumsum(values**power, axis=1)[:, count[:, 0] - 1] / count for power in (1, 2, 3))
    variance = two - one**2
    skewness = (three - 3 * one * two + 2 * one**3) / variance**1.5
    sample = Sample(count, one, np.sqrt(variance / (count - 1)), skewness)
    return sample.within(stats.t.isf(stats.norm.sf(boundaries(LOOKS, level))[:, None], count - 1))


def wrong_verdicts(draw, runs, batch=50):
    """The share of runs with at least one wrong verdict."""
    generator = np.random.default_rng(0)
    found = []
    for _ in range(runs // batch):
        low, high = bounds_at_looks(draw(generator, (batch, LOOKS[-1])))
        found.append(((low > 0) | (high < 0)).any(axis=(1, 2)))
    return np.concatenate(found).mean()


def test_the_simulation_looks_as_the_function_does(rng):
    values = one_sided(rng, (1, LOOKS[-1]))
    low, high = bounds_at_looks(values)
    for number, look in enumerate(LOOKS):
        found = repeated_interval(values[0, :look, 7], LOOKS, level=LEVEL)
        assert (low[0, number, 7], high[0, number, 7]) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize(
    "draw", [like_methods(normal), like_methods(heavy), one_sided], ids=["normal", "heavy", "skewed"]
)
def test_seldom_anything_is_said_that_is_wrong(draw):
    """36 differences, none of which is there, looked at 22 times: in at most 5 % of 2000 runs one separates."""
    assert wrong_verdicts(draw, 2000) <= 0.05


def test_one_difference_alone_spends_its_error():
    """Not much less than is allowed, or images would be wasted."""
    generator = np.random.default_rng(1)
    low, high = bounds_at_looks(generator.normal(size=(4000, LOOKS[-1], 1)), level=0.95)
    assert 0.04 <= ((low > 0) | (high < 0)).any(axis=(1, 2)).mean() <= 0.058


@pytest.mark.parametrize("given", [1000, 16_416, 10**6])
def test_as_many_images_as_one_likes_can_be_looked_at(given):
    """The sums are followed closely enough: with twice as many nodes the bounds are the same."""
    looks, level = planned_looks(given), 1 - 0.05 / 36
    found = boundaries(looks, level)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spending, "NODES", 2 * spending.NODES)
        np.testing.assert_allclose(found, boundaries.__wrapped__(looks, level), rtol=1e-8)
