"""Where the uncertainty of a mean AOPC comes from: images, repeats, sampled steps, and ties [Searle1992].

The AOPC that one image has in one repeat is split as

    value = mean + image + repeat + step

Each part has mean 0 and a variance of its own: between images; between the repeats of an image (other replacement
images, and another random order); and between draws of the scored steps, where not all are scored. Repeats redraw all
of it but the image, so the mean over N images with T repeats and K scored steps has the variance

    (images + (repeats + steps(K)) / T) / N

The same holds for a difference between two methods, which see the same images, replacement images and scored steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from heatproof.errors import InputError
from heatproof.perturbation.curves import Curves
from heatproof.perturbation.orders import stratum_ends

NUMBERS = 120  # of scored steps that are looked at: all small ones, then fewer and fewer


@dataclass(frozen=True)
class Components:
    """Variances of an image's AOPC, or of a difference of two, in the square of the score's unit; lower is better.

    Estimated without bias, hence possibly a little below 0 where there is hardly any; what is derived of them is not.

    Attributes:
        mean: over all images and repeats.
        images: between images, of what each would have after very many repeats; ties included.
        repeats: between repeats of one image.
        steps: between draws of the scored steps, by their number K; exactly 0 where all are scored.
        ties: the part of ``images`` that comes from how ties of relevance were broken.
        count: how many images this was estimated from.
    """

    mean: float
    images: float
    repeats: float
    steps: Mapping[int, float]
    ties: float
    count: int

    def variance(self, repeats: int, scored: int) -> float:
        """Variance of the AOPC of one image with this number of repeats and scored steps."""
        return max(0.0, self.images) + (self.repeats + self.steps[scored]) / repeats

    def standard_error(self, images: int, repeats: int, scored: int) -> float:
        """Standard error of the mean over this number of images, in the score's unit; lower is better."""
        return float(np.sqrt(self.variance(repeats, scored) / images))

    def deviations(self, scored: int) -> tuple[float, float, float, float]:
        """Standard deviations between images, repeats, draws of so many steps, and shuffles of ties."""
        variances = np.array([self.images, self.repeats, self.steps[scored], self.ties])
        images, repeats, steps, ties = np.sqrt(variances.clip(min=0)).tolist()
        return images, repeats, steps, ties


def components(drops: np.ndarray, reshuffled: np.ndarray | None = None) -> Components:
    """Variance components of the mean AOPC of N images with T repeats, all L steps scored.

    Images and repeats come from the one-way analysis of variance (method of moments). What sampled steps add is
    computed, not estimated: with one step drawn in each stratum of n_h steps, the estimate varies by
    Σ n_h² · variance within the stratum / (L + 1)² [Cochran1977]. A shuffle of ties is the same in all repeats, so it
    is a part of what images differ by; half the squared difference between two shuffles tells how much, less what
    repeats add to it.

    Args:
        drops: (N, T, L + 1) the scores f(x⁽⁰⁾) − f(x⁽ᵏ⁾) lost after each step, or the difference of two methods' drops.
        reshuffled: the same with ties broken by another shuffle; none where there are none.

    Raises:
        InputError: for fewer than two images or repeats, or values that are not finite.

    >>> found = components(np.array([[[0.0, 2.0], [0.0, 6.0]], [[0.0, 10.0], [0.0, 14.0]]]))  # AOPC 1, 3 and 5, 7
    >>> found.mean, found.images, found.repeats, found.steps
    (4.0, 7.0, 2.0, {1: 0.0})
    """
    values = _checked(drops).mean(axis=2)  # (N, T)
    within = float(values.var(axis=1, ddof=1).mean())
    between = float(values.mean(axis=1).var(ddof=1))
    ties = 0.0
    if reshuffled is not None:
        differences = values - _checked(reshuffled).mean(axis=2)
        of_repeats = differences.var(axis=1, ddof=1) / values.shape[1]
        ties = float((differences.mean(axis=1) ** 2 - of_repeats).mean()) / 2
    return Components(
        mean=float(values.mean()),
        images=between - within / values.shape[1],
        repeats=within,
        steps={scored: step_variance(drops, scored) for scored in numbers_of_steps(drops.shape[2] - 1)},
        ties=ties,
        count=len(values),
    )


def step_variance(drops: np.ndarray, scored: int) -> float:
    """What scoring so many steps, one drawn in each stratum, adds to the variance of an image's AOPC [Cochran1977].

    Of drops (N, T, L + 1) at all steps; the untouched image is always scored.

    >>> step_variance(np.array([[[0.0, 1.0, 3.0]]]), 1)  # 0 + 2 · 1 or 0 + 2 · 3, over 3
    0.4444444444444444
    """
    steps = drops.shape[2] - 1
    if scored == steps:
        return 0.0
    ends = stratum_ends(steps, scored).numpy()
    centred = drops[..., 1:].astype(np.float64)
    centred -= centred.mean(axis=2, keepdims=True)  # squares of large numbers would cancel badly
    sums, squares = (np.add.reduceat(centred**power, ends[:-1], axis=2) for power in (1, 2))
    each = (np.diff(ends) * squares - sums**2).clip(min=0)  # n_h² · variance within
    return float(each.sum(axis=2).mean() / (steps + 1) ** 2)


def numbers_of_steps(steps: int) -> list[int]:
    """Numbers of scored steps worth looking at, of so many: all small ones, then fewer and fewer.

    >>> numbers_of_steps(100)[:12], numbers_of_steps(100)[-3:]
    ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [93, 96, 100])
    """
    return [int(number) for number in np.unique(np.geomspace(1, steps, NUMBERS).round())]


def drops_of(curves: Curves) -> np.ndarray:
    """(N, T, L + 1) what was lost after each step, in the score's unit, of curves with all steps scored."""
    if curves.scores.shape[2] != curves.steps + 1:
        raise InputError(
            f"variance components need the scores after all {curves.steps} steps, got {curves.scores.shape[2] - 1}"
        )
    scores = curves.scores.double()
    drops: np.ndarray = (scores[..., :1] - scores).numpy()
    return drops


def _checked(drops: np.ndarray) -> np.ndarray:
    if drops.ndim != 3 or drops.shape[0] < 2 or drops.shape[1] < 2 or drops.shape[2] < 2:
        raise InputError(
            "variance components need drops (N, T, L + 1) of at least two images with two repeats and a step, got "
            f"{drops.shape}"
        )
    if not np.isfinite(drops).all():
        raise InputError("drops must be finite numbers")
    return np.asarray(drops, dtype=np.float64)
