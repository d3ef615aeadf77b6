"""Region perturbation as section III of [Samek2017] prints it: loops over images, repeats, steps and pixels.

Nothing here is fast or batched, and nothing is imported from heatproof.
"""

import torch

REMOVED_NEVER = -1


def grid(height, width, size):
    """(H, W) nested list: non-overlapping size × size regions row by row, what does not fit is a centred border."""
    top, left = (height % size) // 2, (width % size) // 2
    rows, columns = height // size, width // size
    regions = [[REMOVED_NEVER] * width for _ in range(height)]
    for row in range(rows * size):
        for column in range(columns * size):
            regions[top + row][left + column] = (row // size) * columns + column // size
    return regions


def pixels_of(regions, region):
    """The positions (row, column) of one region."""
    return [(i, j) for i, row in enumerate(regions) for j, index in enumerate(row) if index == region]


def relevance_of(heatmap, regions):
    """The heatmap summed over each region."""
    number = max(max(row) for row in regions) + 1
    return [sum(float(heatmap[i, j]) for i, j in pixels_of(regions, region)) for region in range(number)]


def ordered(heatmap, regions, order):
    """O = (r_1, r_2, …), most relevant first; LeRF walks it from its end. For heatmaps without ties."""
    relevance = relevance_of(heatmap, regions)
    found = sorted(range(len(relevance)), key=lambda region: -relevance[region])
    return found if order == "morf" else found[::-1]


def remove(image, replacement, regions, region):
    """g(x, r): the pixels of region r, all channels at once, become the replacement's."""
    result = image.clone()
    for i, j in pixels_of(regions, region):
        result[:, i, j] = replacement[:, i, j]
    return result


def score_of(logits, target, score):
    """One image's score from its logits (classes,)."""
    if score == "logit":
        return logits[target]
    if score == "margin":
        return logits[target] - max(value for index, value in enumerate(logits) if index != target)
    if score == "standardised_logit":
        mean = sum(logits) / len(logits)
        return (logits[target] - mean) / (sum((value - mean) ** 2 for value in logits) / len(logits)) ** 0.5
    probability = logits[target].exp() / sum(value.exp() for value in logits)
    return probability if score == "probability" else probability.log()


def curve(module, image, target, replacement, regions, walk, score="logit"):
    """[f(x⁽⁰⁾), …, f(x⁽ᴸ⁾)] with x⁽⁰⁾ = x and x⁽ᵏ⁾ = g(x⁽ᵏ⁻¹⁾, r_k); one forward pass each."""
    scores = [score_of(module(image[None])[0], target, score)]
    for region in walk:
        image = remove(image, replacement, regions, region)
        scores.append(score_of(module(image[None])[0], target, score))
    return torch.stack(scores)


def curves(module, images, targets, replacements, regions, walks, score="logit"):
    """(N, repeats, L + 1) for replacements[n][t], regions[n] (H, W) and walks[n][t]."""
    with torch.no_grad():
        return torch.stack(
            [
                torch.stack(
                    [
                        curve(module, images[n], int(targets[n]), replacements[n][t], regions[n], walks[n][t], score)
                        for t in range(len(replacements[n]))
                    ]
                )
                for n in range(len(images))
            ]
        )


def aopc(scores):
    """1/(L + 1) · ⟨Σ_{k=0..L} f(x⁽⁰⁾) − f(x⁽ᵏ⁾)⟩ of each image (N, repeats, L + 1); the mean is over repeats."""
    found = []
    for image in scores:
        of_repeats = []
        for repeat in image:
            total = 0.0
            for k in range(len(repeat)):
                total += float(repeat[0]) - float(repeat[k])
            of_repeats.append(total / ((len(repeat) - 1) + 1))
        found.append(sum(of_repeats) / len(of_repeats))
    return found
