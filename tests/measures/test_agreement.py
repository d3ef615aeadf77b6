"""Agreement of rankings against definitions, published examples, other packages, and what must hold."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from heatproof.measures.agreement import kendall_tau, kendall_w, krippendorff_alpha

NAN = np.nan
KRIPPENDORFF = np.array(  # the example of Krippendorff's "Computing Krippendorff's Alpha-Reliability" (2011), section C
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


@pytest.fixture
def rng():
    return np.random.default_rng(6)


class TestKendallW:
    def test_all_alike_none_alike(self):
        order = np.array([3.0, 1.0, 2.0])
        assert kendall_w(np.stack([order, 10 * order, order - 5])) == pytest.approx(1)
        assert kendall_w(np.stack([order, -order])) == pytest.approx(0)
        assert kendall_w(np.array([[1.0, 2, 3], [2, 3, 1], [3, 1, 2]])) == pytest.approx(0)

    @pytest.mark.parametrize("ties", [False, True])
    def test_equals_the_textbook_formula(self, rng, ties):
        """12 S / (m² (n³ − n) − m Σ T), as in Siegel and Castellan."""
        values = rng.normal(size=(7, 5)) + np.arange(5)
        if ties:
            values = values.round()
        judges, items = values.shape
        ranks = np.array([stats.rankdata(row) for row in values])
        squares = ((ranks.sum(axis=0) - judges * (items + 1) / 2) ** 2).sum()
        tied = sum((t**3 - t).sum() for t in (np.unique(row, return_counts=True)[1] for row in values))
        expected = 12 * squares / (judges**2 * (items**3 - items) - judges * tied)
        assert kendall_w(values) == pytest.approx(expected)

    @pytest.mark.parametrize("ties", [False, True])
    def test_is_friedman_s_statistic_by_its_greatest_value(self, rng, ties):
        values = rng.normal(size=(9, 4)) + 0.5 * np.arange(4)
        if ties:
            values = values.round()
        assert kendall_w(values) == pytest.approx(stats.friedmanchisquare(*values.T).statistic / (9 * 3))

    def test_goes_with_the_mean_rank_correlation(self, rng):
        values = rng.normal(size=(6, 5)) + np.arange(5)
        mean = np.mean([stats.spearmanr(a, b).statistic for a, b in combinations(values, 2)])
        assert kendall_w(values) == pytest.approx((1 + 5 * mean) / 6)

    def test_chance_is_one_over_the_judges(self, rng):
        found = [kendall_w(rng.normal(size=(10, 6))) for _ in range(500)]
        assert np.mean(found) == pytest.approx(0.1, abs=0.01)

    def test_nothing_told_apart_is_no_number(self):
        assert np.isnan(kendall_w(np.ones((4, 3))))

    @pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((0, 2)), np.array([[1, np.nan]])])
    def test_other_shapes_and_gaps_are_refused(self, wrong):
        with pytest.raises(ValueError, match=r"values must be finite, \(N, M\)"):
            kendall_w(wrong)


def alpha_by_coincidences(ratings, *, ordinal):
    """From the coincidence matrix, as published."""
    values = np.unique(ratings[np.isfinite(ratings)])
    coincidences = np.zeros((len(values), len(values)))
    for item in ratings.T:
        given = item[np.isfinite(item)]
        for one, first in enumerate(given):
            for other, second in enumerate(given):
                if one != other:
                    place = np.searchsorted(values, first), np.searchsorted(values, second)
                    coincidences[place] += 1 / (len(given) - 1)
    totals = coincidences.sum(axis=0)
    distance = np.zeros_like(coincidences)
    for c, k in combinations(range(len(values)), 2):
        between = totals[c : k + 1].sum() - (totals[c] + totals[k]) / 2
        distance[c, k] = distance[k, c] = (between if ordinal else values[k] - values[c]) ** 2
    expected = np.outer(totals, totals) / (totals.sum() - 1)
    return 1 - (coincidences * distance).sum() / (expected * distance).sum()


class TestKrippendorffAlpha:
    def test_the_published_example(self):
        assert krippendorff_alpha(KRIPPENDORFF) == pytest.approx(0.815, abs=5e-4)
        assert krippendorff_alpha(KRIPPENDORFF, ordinal=False) == pytest.approx(0.849, abs=5e-4)

    @pytest.mark.parametrize("ordinal", [False, True])
    @pytest.mark.parametrize("missing", [0, 0.3])
    def test_equals_the_coincidence_matrix(self, rng, ordinal, missing):
        ratings = rng.integers(1, 6, size=(5, 8)) + np.arange(8.0) // 2
        ratings[rng.random(ratings.shape) < missing] = NAN
        expected = alpha_by_coincidences(ratings, ordinal=ordinal)
        assert krippendorff_alpha(ratings, ordinal=ordinal) == pytest.approx(expected)

    @pytest.mark.parametrize("level", ["ordinal", "interval"])
    def test_equals_the_package(self, rng, level):
        krippendorff = pytest.importorskip("krippendorff")
        ratings = rng.normal(size=(6, 7)).round(1) + np.arange(7)
        ratings[0, :3] = NAN
        expected = krippendorff.alpha(ratings, level_of_measurement=level)
        assert krippendorff_alpha(ratings, ordinal=level == "ordinal") == pytest.approx(expected)

    def test_agreement_chance_and_opposition(self, rng):
        order = np.arange(6.0)
        assert krippendorff_alpha(np.stack([order] * 3)) == 1
        assert krippendorff_alpha(rng.normal(size=(400, 6))) == pytest.approx(0, abs=0.02)
        assert krippendorff_alpha(np.stack([order, -order])) < 0

    def test_only_the_order_counts_if_ordinal(self, rng):
        ratings = rng.normal(size=(5, 6)) + np.arange(6)
        assert krippendorff_alpha(np.exp(ratings)) == pytest.approx(krippendorff_alpha(ratings))
        moved = krippendorff_alpha(7 * ratings - 2, ordinal=False)
        assert moved == pytest.approx(krippendorff_alpha(ratings, ordinal=False))

    def test_on_ranks_it_is_the_mean_rank_correlation_but_for_small_numbers(self, rng):
        ranks = stats.rankdata(rng.normal(size=(200, 5)) + np.arange(5), axis=1)
        mean = (200 * kendall_w(ranks) - 1) / 199
        assert krippendorff_alpha(ranks) == pytest.approx(mean, abs=2e-3)

    @pytest.mark.parametrize("none", [np.full((3, 4), 2.0), np.array([[1.0, NAN], [NAN, 2.0]]), np.full((2, 2), NAN)])
    def test_where_there_is_no_number(self, none):
        assert np.isnan(krippendorff_alpha(none))


class TestKendallTau:
    def test_equals_the_count_of_pairs(self, rng):
        first, second = rng.normal(size=(2, 9))
        signs = [np.sign((first[a] - first[b]) * (second[a] - second[b])) for a, b in combinations(range(9), 2)]
        assert kendall_tau(first, second) == pytest.approx(np.mean(signs))

    def test_same_reverse_and_nothing(self, rng):
        values = rng.normal(size=6)
        assert kendall_tau(values, np.exp(values)) == pytest.approx(1)
        assert kendall_tau(values, -values) == pytest.approx(-1)
        assert np.isnan(kendall_tau(values, np.ones(6)))

    def test_ties_by_hand(self):
        """τ-b: 4 concordant, 0 discordant, one tie in each of the two, at different pairs: 4 / √(5 · 5)."""
        assert kendall_tau(np.array([1.0, 1, 2, 3]), np.array([1.0, 2, 3, 3])) == pytest.approx(4 / 5)
