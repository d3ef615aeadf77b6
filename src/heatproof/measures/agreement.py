"""How far values and rankings agree: correlations, and images as judges of methods."""

from itertools import combinations

import numpy as np
import scipy

from heatproof.errors import InputError
from heatproof.measures.intervals import Estimate, percentile_estimate, resampled

ROUNDING = 1e-12  # what may be left of 1 − ρ² where ρ is 1


def kendall_w(values: np.ndarray) -> float:
    """Kendall's coefficient of concordance of N judges that each order M items by their values (N, M) [Kendall1939].

    1: all order them alike; 0: nothing is left of the orders when they are averaged. Ties share their mean rank, and W
    is corrected for them. NaN where no judge tells any items apart. It is no test: even judges that order by chance
    have a mean W of 1 / N.

    >>> round(kendall_w(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0], [1.0, 3.0, 2.0]])), 3)
    0.778
    """
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise InputError(f"values must be finite, (N, M) of N judges and M items, got {values.shape}")
    judges, items = values.shape
    ranks = scipy.stats.rankdata(values, axis=1)
    spread = ((ranks.mean(axis=0) - (items + 1) / 2) ** 2).sum()
    most = ((ranks - (items + 1) / 2) ** 2).sum() / judges  # (M³ − M) / 12 less what ties take from it
    return float(spread / most) if most > 0 else float("nan")


def krippendorff_alpha(ratings: np.ndarray, *, ordinal: bool = True) -> float:
    """Krippendorff's α of N judges who rate M items (N, M); NaN where a judge has not rated an item [Krippendorff2011].

    1: all rate each item alike; 0: they agree as if ratings had been dealt out by chance; below 0: less than that. With
    ``ordinal`` only the order of ratings counts, else (interval) their squared differences. Give ranks inside each
    judge where judges use scales of their own. NaN where all ratings are the same, or no item has two.

    >>> round(krippendorff_alpha(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])), 3)
    0.704
    """
    known = np.isfinite(ratings)
    known &= known.sum(axis=0) > 1  # an item that one judge rated cannot agree with anything
    if ratings.ndim != 2 or not known.any():
        return float("nan")
    found = np.zeros(ratings.shape)
    # α's ordinal distance is that of mean ranks
    found[known] = scipy.stats.rankdata(ratings[known]) if ordinal else ratings[known]
    found[known] -= found[known].mean()
    judges, count = known.sum(axis=0), known.sum()
    within = (found**2).sum(axis=0) - found.sum(axis=0) ** 2 / np.maximum(judges, 1)
    observed = (within * judges / np.maximum(judges - 1, 1)).sum() / count
    expected = (found**2).sum() / (count - 1)
    return float(1 - observed / expected) if expected > 0 else float("nan")


def kendall_tau(first: np.ndarray, second: np.ndarray) -> float:
    """Kendall's τ-b of two rankings of the same M items, given as values (M,) of each [Kendall1938].

    1: the same order; −1: the reverse; 0: as many pairs one way round as the other. NaN where either has one value
    only.

    >>> round(kendall_tau(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0])), 3)
    0.333
    """
    return float(scipy.stats.kendalltau(first, second).statistic)


def kendall(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(R,) Kendall's τ-b of each row of (R, M) with the same row of another; NaN where a row is all ties.

    >>> kendall(np.array([[1.0, 2.0, 3.0]]), np.array([[10.0, 30.0, 20.0]]))
    array([0.33333333])
    """
    pairs = np.array(list(combinations(range(first.shape[1]), 2)), dtype=int).reshape(-1, 2)
    one, other = (np.diff(part[:, pairs], axis=2)[..., 0] for part in (first, second))
    signs = np.sign(one) * np.sign(other)
    untied = np.sqrt((one != 0).sum(axis=1) * (other != 0).sum(axis=1))
    found: np.ndarray = np.divide(signs.sum(axis=1), untied, out=np.full(len(one), np.nan), where=untied > 0)
    return found


def pearson(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(R,) Pearson's correlation of each row of (R, C) with the same row of another; NaN where a row is constant."""
    varies = (np.ptp(first, axis=1) != 0) & (np.ptp(second, axis=1) != 0)
    one, other = (part - part.mean(axis=1, keepdims=True) for part in (first, second))
    spread = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    known = varies & (spread > 0)
    found: np.ndarray = np.divide((one * other).sum(axis=1), spread, out=np.full(len(one), np.nan), where=known)
    return found.clip(-1, 1)


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(R,) Spearman's correlation of each row of (R, C) with the same row of another; ties share their mean rank.

    >>> spearman(np.array([[1.0, 2.0, 3.0]]), np.array([[10.0, 30.0, 20.0]]))
    array([0.5])
    """
    return pearson(*(scipy.stats.rankdata(part, axis=1, nan_policy="propagate") for part in (first, second)))


def partial_spearman(first: np.ndarray, second: np.ndarray, given: np.ndarray) -> np.ndarray:
    """(R,) Spearman's correlation of each row of (R, C) with that of another, given a third [Yule1907].

    (ρ − ρ₁ ρ₂) / √((1 − ρ₁²) (1 − ρ₂²)), with ρ between the two, and ρ₁, ρ₂ of each with the third: what is left of
    their correlation when that which goes along with the third is taken out of both rankings. NaN where the third ranks
    either of them exactly, or backwards: nothing is left then.

    >>> up, other = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[1.0, 3.0, 2.0, 4.0]])
    >>> partial_spearman(up, up, other), partial_spearman(up, other, up)
    (array([1.]), array([nan]))
    """
    both, one, other = spearman(first, second), spearman(first, given), spearman(second, given)
    left = (1 - one**2) * (1 - other**2)
    known = left > ROUNDING
    found: np.ndarray = np.divide(both - one * other, np.sqrt(left), out=np.full(len(both), np.nan), where=known)
    return found.clip(-1, 1)


def ranking_agreement(first: np.ndarray, second: np.ndarray, *, seed: int = 0) -> Estimate:
    """Kendall's τ between the rankings of M methods by the means of two (M, N), with its interval over images.

    1: both rank the methods alike; −1: one ranks them backwards [Kendall1938]. Drawing images again (percentile
    bootstrap, the same images for both) adds noise to both rankings, so the interval lies rather too low than too high.
    NaN for one method, or where a condition finds all equal; NaN bounds for one image.

    >>> print(ranking_agreement(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0], [1.0, 2.0]])))
    -1 [-1, -1]
    """
    check_conditions(first, second)
    drawn = resampled(np.concatenate([first, second]), seed=seed) / first.shape[1]
    value = kendall(first.mean(axis=1)[None], second.mean(axis=1)[None])
    return percentile_estimate(float(value[0]), kendall(drawn @ first.T, drawn @ second.T))


def agreement_of_samples(first: np.ndarray, second: np.ndarray, *, seed: int = 0) -> Estimate:
    """Kendall's τ between the rankings of M methods by means over different images, (M, N) and (M, P).

    As :func:`ranking_agreement`, but the images of both are drawn again independently.

    >>> print(agreement_of_samples(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0, 7.0], [1.0, 2.0, 3.0]])))
    -1 [-1, -1]
    """
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second) or not first.size or not second.size:
        raise InputError(f"values must be (M, N) and (M, P) of the same methods, got {first.shape} and {second.shape}")
    means = [
        resampled(part, seed=seed + number) @ part.T / part.shape[1] for number, part in enumerate((first, second))
    ]
    value = kendall(first.mean(axis=1)[None], second.mean(axis=1)[None])
    return percentile_estimate(float(value[0]), kendall(*means))


def check_conditions(first: np.ndarray, second: np.ndarray) -> None:
    """Refuses values under two conditions that are not (M, N) both, of M methods on N images."""
    if first.ndim != 2 or first.shape != second.shape or not first.size:
        raise InputError(f"conditions must have values (M, N) of the same shape, got {first.shape} and {second.shape}")
