"""Paired tests and their correction, against enumeration, SciPy, published numbers, and what they promise."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from heatproof.measures.significance import FLIPS, holm, sign_flip, wilcoxon


@pytest.fixture
def rng():
    return np.random.default_rng(5)


class TestSignFlip:
    @pytest.mark.parametrize("count", range(1, 14))
    def test_when_all_differences_point_one_way_only_two_choices_reach_as_far(self, count):
        p = sign_flip(np.arange(1.0, count + 1)[:, None])
        assert p == pytest.approx(2 / 2**count)

    @pytest.mark.parametrize("count", [2, 5, 9])
    def test_equals_the_loop_over_all_signs(self, rng, count):
        differences = np.concatenate([rng.normal(0.5, 1, size=(count, 3)), rng.integers(-2, 3, (count, 2))], axis=1)
        for found, column in zip(sign_flip(differences), differences.T, strict=True):
            means = [np.dot(signs, column) / count for signs in product([1, -1], repeat=count)]
            as_far = [abs(mean) > abs(column.mean()) - 1e-9 for mean in means]
            assert found == pytest.approx(np.mean(as_far))

    @pytest.mark.parametrize("count", [6, 12])
    def test_equals_scipy_s_permutation_test(self, rng, count):
        values = rng.gamma(2, size=count) - 1.5
        expected = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=10**5)
        assert sign_flip(values[:, None])[0] == pytest.approx(expected.pvalue)

    def test_random_flips_come_close_to_all_flips(self, rng):
        """16 images: all 65,536 choices by a convolution over integer differences."""
        values = rng.integers(-3, 6, 16)
        sums = np.ones(1)
        for value in np.abs(values):
            sums = np.convolve(sums, np.array([1, *[0] * (2 * value - 1), 1]) if value else np.array([2]))
        reached = np.abs(np.arange(len(sums)) - len(sums) // 2) >= abs(values.sum())
        expected = sums[reached].sum() / 2**16
        assert 0.001 < expected < 0.5
        found = sign_flip(values[:, None].astype(float))[0]
        assert found == pytest.approx(expected, abs=4 * np.sqrt(expected / FLIPS))

    def test_random_flips_never_give_zero(self):
        assert sign_flip(np.full((50, 1), 3.0))[0] == 1 / (FLIPS + 1)

    def test_scale_and_sign_do_not_matter_and_the_seed_decides(self, rng):
        values = rng.normal(0.2, 1, size=(40, 2))
        assert np.array_equal(sign_flip(values), sign_flip(-8 * values))
        assert np.array_equal(sign_flip(values, seed=3), sign_flip(values, seed=3))
        assert not np.array_equal(sign_flip(values, seed=3), sign_flip(values, seed=4))

    @pytest.mark.parametrize("count", [8, 40])
    def test_the_order_of_images_does_not_matter(self, rng, count):
        values = rng.normal(0.2, 1, size=(count, 3))
        assert np.array_equal(sign_flip(values), sign_flip(values[rng.permutation(count)]))

    @pytest.mark.parametrize("count", [8, 40])
    def test_zeros_and_other_columns_change_nothing(self, rng, count):
        values = rng.normal(0.4, 1, size=(count, 3))
        filled = np.concatenate([values, np.zeros((2, 3))])
        np.testing.assert_array_equal(sign_flip(filled), sign_flip(values))
        np.testing.assert_allclose(sign_flip(values[:, :1]), sign_flip(values)[:1])

    def test_many_images_are_flipped_in_pieces(self, rng, monkeypatch):
        values = rng.normal(0.2, 1, size=(60, 2))
        whole = sign_flip(values)
        monkeypatch.setattr("heatproof.measures.significance.AT_ONCE", 60 * 64)
        np.testing.assert_array_equal(sign_flip(values), whole)

    def test_close_to_student_s_test_on_many_normal_values(self, rng):
        values = rng.normal(0.15, 1, size=(200, 5))
        np.testing.assert_allclose(sign_flip(values), stats.ttest_1samp(values, 0).pvalue, atol=0.02)

    @pytest.mark.parametrize("count", [10, 25])
    def test_symmetric_values_are_called_different_once_in_twenty(self, count):
        values = np.random.default_rng(1).standard_t(3, size=(count, 2000))
        assert (sign_flip(values) <= 0.05).mean() == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("test", [sign_flip, wilcoxon])
class TestBoth:
    @pytest.mark.parametrize("count", [1, 5, 13, 30, 80])
    def test_two_identical_methods_do_not_differ(self, test, count):
        assert test(np.zeros((count, 2))).tolist() == [1, 1]

    def test_a_single_image_tells_nothing(self, test):
        assert test(np.array([[7.0]])).tolist() == [1]

    @pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((0, 2)), np.array([[np.nan]])])
    def test_other_shapes_and_gaps_are_refused(self, test, wrong):
        with pytest.raises(ValueError, match=r"differences must be finite, \(N, M\)"):
            test(wrong)


class TestWilcoxon:
    def test_a_published_example(self):
        """Darwin's maize in Fisher's Design of Experiments: 15 pairs; rank sum of the negatives 24, p = 0.041."""
        heights = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48.0])
        assert wilcoxon(heights[:, None])[0] == pytest.approx(0.0413, abs=1e-4)

    @pytest.mark.parametrize("count", [3, 8, 10])
    def test_equals_the_loop_over_all_signs(self, rng, count):
        values = rng.normal(0.5, 1, count)
        ranks = stats.rankdata(np.abs(values))
        middle = ranks.sum() / 2
        far = abs(ranks[values > 0].sum() - middle)
        sums = [np.dot(chosen, ranks) for chosen in product([0, 1], repeat=count)]
        expected = np.mean([abs(total - middle) >= far - 1e-9 for total in sums])
        assert wilcoxon(values[:, None])[0] == pytest.approx(expected)

    def test_knows_ranks_only(self, rng):
        values = rng.normal(0.3, 1, size=(30, 2))
        np.testing.assert_allclose(wilcoxon(values), wilcoxon(np.sign(values) * np.abs(values) ** 3))

    @pytest.mark.parametrize("count", [4, 12, 30, 80])
    def test_ties_and_zeros_are_no_trouble(self, rng, count):
        values = rng.integers(-1, 3, size=(count, 3)).astype(float)
        assert ((wilcoxon(values) > 0) & (wilcoxon(values) <= 1)).all()


class TestHolm:
    def test_by_hand(self):
        """0.01 · 4; 0.02 · 3 = 0.06; 0.03 · 2 = 0.06; 0.9 · 1."""
        found = holm(np.array([0.03, 0.9, 0.01, 0.02]))
        np.testing.assert_allclose(found, [0.06, 0.9, 0.04, 0.06])

    def test_equals_the_loop_of_the_definition(self, rng):
        """Step down while p(i) ≤ α / (m − i + 1); a corrected p-value is the smallest α that rejects."""
        values = rng.random(12) ** 3

        def rejected(level):
            kept = set(range(len(values)))
            for index in np.argsort(values):
                if values[index] > level / len(kept):
                    break
                kept.remove(int(index))
            return [index not in kept for index in range(len(values))]

        found = holm(values)
        for level in np.linspace(0.001, 0.999, 97):
            np.testing.assert_array_equal(found <= level, rejected(level))

    def test_lies_between_no_correction_and_bonferroni_s(self, rng):
        values = rng.random(20) ** 2
        found = holm(values)
        assert (found >= values).all()
        assert (found <= np.minimum(1, 20 * values)).all()
        np.testing.assert_array_equal(holm(values[::-1]), found[::-1])
        assert found.min() == pytest.approx(min(1, 20 * values.min()))

    def test_one_and_none(self):
        assert holm(np.array([0.02])).tolist() == [0.02]
        assert holm(np.array([])).tolist() == []

    def test_one_family_in_twenty_has_a_wrong_one(self):
        """Eight methods that do not differ on 25 images, all 28 pairs: dependent tests, 2000 families."""
        generator, wrong = np.random.default_rng(2), 0
        first, second = np.triu_indices(8, 1)
        for _ in range(40):
            values = generator.normal(size=(25, 50, 8)) + generator.normal(size=(25, 50, 1))
            differences = values[..., first] - values[..., second]
            p = sign_flip(differences.reshape(25, -1)).reshape(50, 28)
            wrong += sum((holm(family) <= 0.05).any() for family in p)
        assert 0.02 < wrong / 2000 <= 0.06
