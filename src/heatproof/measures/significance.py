"""Whether differences are more than chance: paired tests over images, corrected for how many are made."""

import numpy as np
import scipy

from heatproof.errors import InputError

FLIPS = 9999  # random flips: the smallest p-value is 1 / (FLIPS + 1)
AT_ONCE = 2**22  # signs held in memory


def sign_flip(differences: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """(M,) two-sided p-values of M paired differences (N, M) over N images, against a mean of zero [Fisher1935].

    Were it chance which of two methods is ahead on an image, each difference could as well have the other sign. The
    p-value is the share of all 2^N choices of signs whose mean is as far from zero; exact where there are at most
    FLIPS + 1 choices, else (b + 1) / (FLIPS + 1) from FLIPS random ones with b as far from zero [Phipson2010]. It
    lies in (0, 1]; lower is more evidence. Images without a difference count for nothing, so columns of fewer images
    may be filled with zeros. The order of images makes no difference: signs are drawn for values in order of size.

    >>> sign_flip(np.array([[1.0, 0.0], [2.0, 0.0], [0.5, 0.0], [3.0, 0.0]]))  # only all + and all − reach as far
    array([0.125, 1.   ])
    """
    _check(differences)
    used = np.sort(np.abs(differences[differences.any(axis=1)]), axis=0)[::-1]
    reached = np.abs(differences.sum(axis=0)) - 1e-9 * used.sum(axis=0)  # so that rounding makes no difference
    if 2 ** min(len(used), 63) <= FLIPS + 1:
        signs = 1 - 2 * (np.arange(2 ** len(used))[:, None] >> np.arange(len(used)) & 1)
        return np.asarray((np.abs(signs @ used) >= reached).mean(axis=0))
    generator, found = np.random.default_rng(seed), np.ones(used.shape[1])
    most = max(1, AT_ONCE // len(used))
    for start in range(0, FLIPS, most):
        signs = 1 - 2 * generator.integers(2, size=(min(most, FLIPS - start), len(used)), dtype=np.int8)
        found += (np.abs(signs.astype(np.float64) @ used) >= reached).sum(axis=0)
    return found / (FLIPS + 1)


def wilcoxon(differences: np.ndarray) -> np.ndarray:
    """(M,) two-sided p-values of Wilcoxon's signed-rank test of M paired differences (N, M) [Wilcoxon1945].

    It asks whether differences lie symmetrically around zero, and knows their ranks only: a few large ones cannot
    decide it, as they can decide a mean. In (0, 1]; lower is more evidence. Zeros are left out; where nothing else is,
    p is 1.

    >>> wilcoxon(np.array([[1.0, 0.0], [2.0, 0.0], [0.5, 0.0], [3.0, 0.0]]))
    array([0.125, 1.   ])
    """
    _check(differences)
    nonzero = [column[column != 0] for column in differences.T]
    return np.array([float(scipy.stats.wilcoxon(column).pvalue) if len(column) else 1.0 for column in nonzero])


def holm(p_values: np.ndarray) -> np.ndarray:
    """(M,) p-values corrected for there being M of them, by Holm's step-down method [Holm1979].

    Those below 0.05 are all right together with a probability of 95 %, however they depend on each other. The smallest
    is multiplied by M, the next by M − 1 and so on, none falls below a smaller one, and none exceeds 1.

    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(p_values, kind="stable")
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1)).clip(max=1)
    return corrected


def _check(differences: np.ndarray) -> None:
    if differences.ndim != 2 or not len(differences) or not np.isfinite(differences).all():
        raise InputError(f"differences must be finite, (N, M) of at least one image, got {differences.shape}")
