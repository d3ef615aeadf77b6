"""Measures of heatmaps on mosaics as their papers print them: loops over rows and columns.

Nothing here is fast or batched, and nothing is imported from heatproof. Maps are lists of lists of numbers.
"""


def positive_share(heatmap, inside):
    """Positive relevance in the tile, divided by all of it; the tile's share of the pixels where there is none."""
    within = total = pixels = count = 0
    for row, marks in zip(heatmap, inside, strict=True):
        for value, mark in zip(row, marks, strict=True):
            count += 1
            pixels += bool(mark)
            if value > 0:
                total += value
                if mark:
                    within += value
    return within / total if total else pixels / count


def pointing_game(heatmap, inside):
    """Of the pixels with the largest value, the share that lies in the tile."""
    largest = max(value for row in heatmap for value in row)
    hits = misses = 0
    for row, marks in zip(heatmap, inside, strict=True):
        for value, mark in zip(row, marks, strict=True):
            if value == largest and mark:
                hits += 1
            elif value == largest:
                misses += 1
    return hits / (hits + misses)
