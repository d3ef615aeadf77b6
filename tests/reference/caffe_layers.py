"""Caffe's pooling and normalisation as slow loops over positions, transcribed from its documented formulas."""

from math import ceil, floor, inf

import numpy as np


def pooled_size(length, kernel, stride, pad, up=True):
    """Outputs along one axis: rounded up, but the last window must begin before the padding behind the map."""
    size = (ceil if up else floor)((length + 2 * pad - kernel) / stride) + 1
    if pad and (size - 1) * stride >= length + pad:
        size -= 1
    return size


def pool(values, kernel, stride, pad, mean, up=True):
    """Of one map (H, W); a mean divides by the window's area inside the padded map."""
    height, width = values.shape
    sizes = [pooled_size(n, k, s, p, up) for n, k, s, p in zip(values.shape, kernel, stride, pad, strict=True)]
    out = np.empty(sizes)
    for row in range(sizes[0]):
        for column in range(sizes[1]):
            top, left = row * stride[0] - pad[0], column * stride[1] - pad[1]
            bottom, right = min(top + kernel[0], height + pad[0]), min(left + kernel[1], width + pad[1])
            area = (bottom - top) * (right - left)
            inside = [
                values[y, x]
                for y in range(max(top, 0), min(bottom, height))
                for x in range(max(left, 0), min(right, width))
            ]
            out[row, column] = sum(inside) / area if mean else max(inside, default=-inf)
    return out


def norm_across(values, size, alpha, beta, k):
    """Of maps (C, H, W)."""
    out = np.empty_like(values)
    for channel in range(len(values)):
        first, last = max(0, channel - size // 2), min(len(values) - 1, channel + size // 2)
        total = sum(values[other] ** 2 for other in range(first, last + 1))
        out[channel] = values[channel] / (k + alpha / size * total) ** beta
    return out


def norm_within(values, size, alpha, beta):
    """Of maps (C, H, W)."""
    out = np.empty_like(values)
    margin = size // 2
    for (channel, row, column), value in np.ndenumerate(values):
        square = values[channel, max(0, row - margin) : row + margin + 1, max(0, column - margin) : column + margin + 1]
        out[channel, row, column] = value / (1 + alpha / size**2 * (square**2).sum()) ** beta
    return out


def norm_relevance(values, relevance, neighbours, each, beta, k):
    """Relevance of the inputs of a local response norm [Binder2016], over all pairs of values.

    ``neighbours(index)`` are the indices around a value, itself among them; ``each`` is α/n.
    """
    out = np.zeros_like(values)
    for index, value in np.ndenumerate(values):
        around = neighbours(index)
        scale = k + each * sum(values[other] ** 2 for other in around)
        terms = {
            other: value / (k + each * value**2) ** beta
            if other == index
            else -2 * beta * each * value * values[other] ** 2 / scale ** (beta + 1)
            for other in around
        }
        for other, term in terms.items():
            out[other] += term / sum(terms.values()) * relevance[index]
    return out
