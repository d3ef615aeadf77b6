"""Rankings that agree, and pairs that are significantly reversed."""

import numpy as np
import pytest
from scipy import stats

from heatproof import InputError
from heatproof.measures import estimate
from heatproof.measures.agreement import kendall, ranking_agreement
from heatproof.measures.intervals import Sample
from heatproof.measures.reversals import images_for_reversal, one_sided, reversals

NAMES = ["a", "b", "c"]


def values(means, *, images=20, spread=1.0, seed=0):
    """(M, N) with means as given exactly."""
    noise = spread * np.random.default_rng(seed).standard_normal((len(means), images))
    return np.array(means)[:, None] + noise - noise.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_kendall_is_scipys(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 4, (2, 50, 6)).astype(float)  # with ties
    expected = [stats.kendalltau(one, other).statistic for one, other in zip(first, second, strict=True)]
    np.testing.assert_allclose(kendall(first, second), expected)


def test_agreement_of_clear_rankings_is_certain():
    here = values([0.0, 10.0, 20.0])
    same, backwards = ranking_agreement(here, 3 * here + 1), ranking_agreement(here, -here)
    assert (same.mean, same.low, same.high) == (1, 1, 1)
    assert (backwards.mean, backwards.low, backwards.high) == (-1, -1, -1)


def test_agreement_of_what_images_do_not_settle_is_open():
    found = ranking_agreement(values([0.0, 0.1, 0.2], images=8), values([0.0, 0.1, 0.2], images=8, seed=1))
    assert found.mean == 1
    assert found.low < 0 <= found.high == 1


def test_agreement_without_an_answer():
    assert np.isnan(ranking_agreement(values([1.0]), values([1.0])).mean)
    single = ranking_agreement(np.array([[1.0], [2.0]]), np.array([[1.0], [2.0]]))
    assert single.mean == 1
    assert np.isnan(single.low)
    with pytest.raises(InputError, match=r"values \(M, N\) of the same shape, got \(3, 20\) and \(2, 20\)"):
        ranking_agreement(values([1.0, 2.0, 3.0]), values([1.0, 2.0]))


@pytest.mark.parametrize("seed", range(4))
def test_one_sided_p_is_where_the_interval_touches_zero(seed):
    sample = np.random.default_rng(seed).gamma(1.0, size=15) - 0.4
    sample *= np.sign(sample.mean())
    p = float(one_sided(sample[None])[0])
    low, _ = Sample.of(sample).within(float(stats.t.ppf(1 - p, 14)))
    assert low == pytest.approx(0, abs=1e-9)
    _, high = Sample.of(-sample).within(float(stats.t.ppf(1 - p, 14)))
    assert high == pytest.approx(0, abs=1e-9)


def test_one_sided_of_symmetric_values_is_students():
    sample = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) + 1.5
    expected = stats.ttest_1samp(sample, 0, alternative="greater").pvalue
    np.testing.assert_allclose(one_sided(np.stack([sample, -sample])), [expected, 1 - expected])
    np.testing.assert_allclose(one_sided(np.array([[1.0], [0.0], [-1.0]]).repeat(9, axis=1)), [0, 1, 1], atol=1e-12)


def test_pairs_that_change_places_are_found_with_their_differences():
    here = values([3.0, 2.0, 0.0], spread=0.2)
    there = values([2.0, 3.0, 0.0], spread=0.2, seed=1)
    (found,) = reversals(NAMES, here, {"alike": here, "blur": there})
    assert (found.higher, found.lower, found.condition) == ("a", "b", "blur")
    assert found.here == estimate(here[0] - here[1])
    assert found.there == estimate(there[0] - there[1])
    assert found.here.mean == pytest.approx(1)
    assert found.there.mean == pytest.approx(-1)
    assert found.here.excludes_zero
    assert found.there.excludes_zero
    assert 0 < found.p < 1e-6


def test_p_by_hand():
    """Twice the larger one-sided value; the least of six is multiplied by six."""
    here, there = values([1.0, 0.0, -9.0], images=30), values([0.0, 1.0, -9.0], images=30, seed=1)
    (found,) = reversals(NAMES, here, {"same": here, "other": there}, error=0.5)
    both = one_sided(np.stack([here[0] - here[1], there[1] - there[0]]))
    assert found.p == pytest.approx(6 * 2 * both.max())


def test_reversal_that_one_condition_does_not_prove_is_none():
    sure, unsure = values([3.0, 0.0], spread=0.2), values([-0.1, 0.0], seed=1)
    assert reversals(NAMES[:2], sure, {"unsure": unsure}) == []
    assert reversals(NAMES[:2], unsure, {"sure": sure}) == []


def test_neither_one_image_nor_one_method_proves_anything():
    assert reversals(NAMES[:2], np.array([[1.0], [2.0]]), {"other": np.array([[2.0], [1.0]])}) == []
    assert reversals(NAMES[:1], values([1.0]), {"other": values([2.0])}) == []


def false_alarms(make, runs=400):
    rng = np.random.default_rng(0)
    return sum(bool(reversals(["a", "b", "c", "d", "e"], *make(rng))) for _ in range(runs)) / runs


def test_false_reversals_under_the_null_are_rare():
    """Five methods, six conditions that rank them alike; what images share and what they do not, with skewness."""

    def alike(rng):
        means = rng.normal(size=(5, 1))
        shared = means + rng.gamma(2.0, size=(5, 10))
        conditions = {str(number): shared + rng.gamma(2.0, size=(5, 10)) for number in range(6)}
        return shared + rng.gamma(2.0, size=(5, 10)), conditions

    def nothing(rng):
        return rng.normal(size=(5, 10)), {str(number): rng.normal(size=(5, 10)) for number in range(6)}

    def opposite(rng):
        """All methods equal, but a condition that mirrors the noise."""
        here = rng.normal(size=(5, 10))
        return here, {"mirror": -here, "other": rng.normal(size=(5, 10))}

    def edge(rng):
        """The worst case: clear differences as compared, none elsewhere."""
        means = 10 * np.arange(5.0)[:, None]
        return means + rng.normal(size=(5, 10)), {str(number): rng.normal(size=(5, 10)) for number in range(6)}

    rates = {make.__name__: false_alarms(make) for make in (alike, nothing, opposite, edge)}
    assert all(rate <= 0.05 for rate in rates.values()), rates


def test_the_clearer_a_pair_the_fewer_images_find_its_reversal():
    needed = [images_for_reversal(effect, tests=1) for effect in (0.1, 0.5, 1.0, 5.0, 1e4, 1e12, np.inf)]
    assert needed == sorted(needed, reverse=True)
    assert needed[-1] == 2
