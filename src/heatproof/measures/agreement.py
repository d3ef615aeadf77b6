"""How far rankings agree: images as judges of methods, or two rankings with each other."""

import numpy as np
import scipy

from heatproof.errors import InputError


def kendall_w(values: np.ndarray) -> float:
    """Kendall's coefficient of concordance of N judges that each order M items by their values (N, M) [Kendall1939].

    1: all order them alike; 0: nothing is left of the orders when they are averaged. Ties share their mean rank, and W
    is corrected for them. NaN where no judge tells any items apart. It is no test: even judges that order by chance
    have a mean W of 1 / N.

    >>> round(kendall_w(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0], [1.0, 3.0, 2.0]])), 3)
    0.778
    """
    _check(values)
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


def _check(values: np.ndarray) -> None:
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise InputError(f"values must be finite, (N, M) of N judges and M items, got {values.shape}")
