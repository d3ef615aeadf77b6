"""Quantities of several networks on the same images, and how they go together.

Intervals are over images, the same for all networks and quantities, so what they share cancels.
The networks are those given; nothing is said about other training runs.
"""

from dataclasses import dataclass

import numpy as np

from heatproof.errors import InputError
from heatproof.measures.agreement import partial_spearman, spearman
from heatproof.measures.intervals import Estimate, estimate, percentile_estimate, resampled


@dataclass(frozen=True)
class Series:
    """One quantity of C networks on the same N images, as a mean over images, or as the ratio of two means.

    Attributes:
        numerator: (C, N).
        denominator: (C, N), or none for a mean. Where its mean is not above zero, the quantity is NaN.

    >>> Series(np.array([[1.0, 3.0]]), np.array([[2.0, 6.0]])).values()
    array([0.5])
    """

    numerator: np.ndarray
    denominator: np.ndarray | None = None

    def __post_init__(self) -> None:
        for part in (self.numerator, self.denominator):
            if part is not None and (part.ndim != 2 or part.shape != self.numerator.shape or not part.size):
                raise InputError(f"a series must have shape (C, N), C networks and N images, got {part.shape}")

    def values(self, drawn: np.ndarray | None = None) -> np.ndarray:
        """(C,) its values; or (R, C) those when each image was ``drawn`` (R, N) so many times."""
        counts = np.ones((1, self.numerator.shape[1])) if drawn is None else drawn
        found: np.ndarray = counts @ self.numerator.T / counts.sum(axis=1, keepdims=True)
        if self.denominator is not None:
            below = counts @ self.denominator.T / counts.sum(axis=1, keepdims=True)
            found = np.divide(found, below, out=np.full_like(found, np.nan), where=below > 0)
        return found.reshape(-1) if drawn is None else found

    def per_image(self) -> np.ndarray:
        """(C, N) numbers whose mean is the value, and which vary between images as the value does.

        For a ratio R of means, R + (numerator − R · denominator) / mean of the denominator: what an image adds to
        R, to first order (the delta method). NaN where that cannot be said: where the denominator is not clear of zero.
        """
        if self.denominator is None:
            return self.numerator
        clear = np.array([[estimate(row).low > 0 if len(row) > 1 else row[0] > 0] for row in self.denominator])
        ratio, below = self.values()[:, None], self.denominator.mean(axis=1, keepdims=True)
        apart = self.numerator - ratio * self.denominator
        return np.asarray(ratio + np.divide(apart, below, out=np.full_like(apart, np.nan), where=clear))

    def estimates(self) -> list[Estimate]:
        """The C values with 95 % intervals over images, as :func:`~heatproof.measures.estimate` makes them."""
        return [
            estimate(row) if np.isfinite(row).all() else Estimate(float(value), np.nan, np.nan)
            for value, row in zip(self.values(), self.per_image(), strict=True)
        ]


def rank_correlation(first: Series, second: Series, *, seed: int = 0) -> Estimate:
    """Spearman's rank correlation over C networks of two quantities of theirs, with its interval over images.

    1: both rank the networks alike; 0: they have nothing to do with each other; −1: one ranks them backwards. NaN where
    a quantity is the same for all networks. Drawing images again adds noise to both rankings, so the interval lies
    rather too low than too high (percentile bootstrap, the same images for both) [Spearman1904].

    >>> rising = Series(np.arange(12.0).reshape(4, 3))
    >>> print(rank_correlation(rising, rising))
    1 [1, 1]
    """
    drawn = resampled(np.concatenate([first.numerator, second.numerator]), seed=seed)
    value = spearman(first.values()[None], second.values()[None])
    return percentile_estimate(float(value[0]), spearman(first.values(drawn), second.values(drawn)))


def partial_rank_correlation(first: Series, second: Series, given: Series, *, seed: int = 0) -> Estimate:
    """Spearman's rank correlation over C networks of two quantities, given a third, with its interval over images.

    What the first says of the second that the third does not say: above 0 where, of networks that are alike in the
    third, those with more of the first have more of the second; 0 where it adds nothing. NaN where the third ranks
    either of them exactly. As of :func:`rank_correlation`, draws add noise; with few networks the value itself is
    unsteady, which an interval over images cannot show [Yule1907].

    >>> quality = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    >>> first, second, given = (Series(np.stack([row, row], axis=1)) for row in (
    ...     quality, quality, quality[[1, 0, 2, 3, 5, 4]]))
    >>> print(partial_rank_correlation(first, second, given))
    1 [1, 1]
    """
    drawn = resampled(np.concatenate([one.numerator for one in (first, second, given)]), seed=seed)
    value = partial_spearman(*(series.values()[None] for series in (first, second, given)))
    return percentile_estimate(
        float(value[0]), partial_spearman(*(series.values(drawn) for series in (first, second, given)))
    )
