"""Measures of curves as their papers print them: loops over images, repeats, steps, subsets and orders.

Nothing here is fast or batched, and nothing is imported from heatproof. A perturbed image is
named by the set of its removed regions: ``score(removed)`` evaluates the network.
"""

from itertools import permutations


def trapezoids(positions, heights):
    """∫ of a broken line through (positions, heights)."""
    area = 0.0
    for k in range(1, len(positions)):
        area += (positions[k] - positions[k - 1]) * (heights[k] + heights[k - 1]) / 2
    return area


def shares(walk, pixels):
    """0 = s_0 < … < s_L = 1: the share of all pixels of regions that is gone after each region of a walk."""
    gone, found = 0, [0.0]
    for region in walk:
        gone += pixels[region]
        found.append(gone / sum(pixels))
    return found


def deletion(score, walk, pixels):
    """AUC while regions go, in the order of the walk (most relevant first)."""
    gone, heights = [], [score(frozenset())]
    for region in walk:
        gone.append(region)
        heights.append(score(frozenset(gone)))
    return trapezoids(shares(walk, pixels), heights)


def insertion(score, walk, pixels):
    """AUC while regions are put into the image in which all are replaced, in the order of the walk."""
    missing = set(walk)
    heights = [score(frozenset(missing))]
    for region in walk:
        missing.remove(region)
        heights.append(score(frozenset(missing)))
    return trapezoids(shares(walk, pixels), heights)


def aopc(score, walk):
    """1/(L + 1) · Σ_{k=0..L} f(x) − f(x∖{r_1 … r_k})."""
    total = 0.0
    for k in range(len(walk) + 1):
        total += score(frozenset()) - score(frozenset(walk[:k]))
    return total / (len(walk) + 1)


def bounds(score, regions, steps):
    """Least and greatest AOPC over all orders of so many of the regions: every single one is tried."""
    found = [aopc(score, walk) for walk in permutations(range(regions), steps)]
    return min(found), max(found)


def pearson(first, second):
    """Covariance over the product of standard deviations."""
    count = len(first)
    one, other = sum(first) / count, sum(second) / count
    covariance = sum((a - one) * (b - other) for a, b in zip(first, second, strict=True))
    spread = sum((a - one) ** 2 for a in first) * sum((b - other) ** 2 for b in second)
    return covariance / spread**0.5


def ranks(values):
    """1 for the least; ties share the mean of their ranks."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]


def spearman(first, second):
    """Pearson's correlation of ranks."""
    return pearson(ranks(first), ranks(second))
