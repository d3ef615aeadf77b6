"""For which images does a method fail? Classes, or groups that were given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from heatproof.measures.significance import holm
from heatproof.results.contrasts import ERROR
from heatproof.results.findings import Finding

FEWEST = 5  # images of a group


@dataclass(frozen=True)
class GroupFails:
    """How often methods fail on the images of one group.

    A method fails on an image where it is not above the random order. An image that several networks or protocols met
    counts once, with the share of them that failed.

    Attributes:
        data: name of the data set.
        group: of its images.
        images: how many.
        share: of the images, by method; lower is better.
        p: whether the share differs from that of the other images, by method: Mann-Whitney's test, Holm-corrected over
            all groups and methods.
    """

    data: str
    group: str
    images: int
    share: Mapping[str, float]
    p: Mapping[str, float]

    def differs(self, method: str) -> bool:
        """Whether a method fails significantly more or less often here than on the other images of the data set."""
        return self.p[method] <= ERROR


def fails_of_groups(findings: Sequence[Finding]) -> list[GroupFails]:
    """How often each method fails on each group that has enough images, while others have too."""
    found: list[GroupFails] = []
    for data in dict.fromkeys(one.name.data for one in findings):
        found += _of_data(data, [one for one in findings if one.name.data == data])
    if not found:
        return []
    tested = [(row, method) for row, one in enumerate(found) for method in one.p]
    corrected = holm(np.array([found[row].p[method] for row, method in tested]))
    for (row, method), p in zip(tested, corrected, strict=True):
        found[row] = replace(found[row], p={**found[row].p, method: float(p)})
    return found


def _of_data(data: str, cells: Sequence[Finding]) -> list[GroupFails]:
    failed: dict[str, dict[tuple[str, str], list[float]]] = {}
    for one in cells:
        for method, values in one.values.items():
            of_method = failed.setdefault(method, {})
            for key, value in zip(zip(one.images, one.groups, strict=True), values.tolist(), strict=True):
                of_method.setdefault(key, []).append(float(value <= 0))
    shares = {m: {key: float(np.mean(every)) for key, every in of.items()} for m, of in failed.items()}
    images = {key for of in shares.values() for key in of}
    counts = {group: sum(key[1] == group for key in images) for group in sorted({group for _, group in images})}
    large = [group for group, count in counts.items() if count >= FEWEST]
    if len(large) < 2:
        return []
    return [_of_group(data, group, counts[group], shares) for group in large]


def _of_group(data: str, group: str, images: int, shares: Mapping[str, Mapping[tuple[str, str], float]]) -> GroupFails:
    share, p = {}, {}
    for method, of in shares.items():
        here = [value for key, value in of.items() if key[1] == group]
        others = [value for key, value in of.items() if key[1] != group]
        if here and others:
            share[method] = float(np.mean(here))
            p[method] = float(scipy.stats.mannwhitneyu(here, others).pvalue) if len({*here, *others}) > 1 else 1.0
    return GroupFails(data, group, images, share, p)
