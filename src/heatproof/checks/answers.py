"""Checks of a metric where the right answer is known."""

import torch
from torch import Tensor

from heatproof.checks import toys
from heatproof.checks.findings import Finding, inapplicable, judged, mean_text, noted
from heatproof.checks.judging import CLOSE, ERRORS, FLIPPED, SUITE, Subject, bright, ordered
from heatproof.checks.recording import recording
from heatproof.measures import abpc, aopc


@SUITE.check("one value per image")
def _one_value(subject: Subject) -> Finding:
    """One finite number for each image."""
    network, images, maps = subject.general()
    values = subject.values(network, images, maps)
    return judged(True, f"{tuple(images.shape)} → {tuple(values.shape)}", "(N, 3, H, W) → (N,), finite")


@SUITE.check("direction")
def _direction(subject: Subject) -> Finding:
    """A good map comes out better than random maps, and these better than the good map's opposite."""
    return ordered(subject, (toys.side(subject.region),) * 2)


@SUITE.check("chance")
def _chance(subject: Subject) -> Finding:
    """Random maps get what chance gets: 0 for an area between two curves."""
    images = subject.mosaics()
    values = torch.cat([subject.ask(images, toys.maps_for(images, seed=seed)) for seed in range(4)])
    if subject.chance is None:
        return noted(f"random maps get {mean_text(values)}", "no value of chance was stated (chance)")
    away = abs(float(values.mean()) - subject.chance) / max(float(values.std()) / len(values) ** 0.5, 1e-12)
    passed = away <= ERRORS or abs(float(values.mean()) - subject.chance) <= CLOSE * subject.spread()
    return judged(passed, f"random maps get {mean_text(values)}", f"{subject.chance:g} ± {ERRORS:g} errors")


@SUITE.check("reversal")
def _reversal(subject: Subject) -> Finding:
    """Minus a map without ties swaps MoRF and LeRF: where chance is 0, the value changes its sign and nothing else."""
    if subject.chance is None:
        return inapplicable("no value of chance was stated (chance)")
    images = subject.mosaics()
    maps = toys.maps_for(images, seed=5)
    there, back = (subject.ask(images, sign * maps) - subject.chance for sign in (1, -1))
    gap = float((there + back).abs().max()) / subject.spread()
    return judged(gap <= 10 * CLOSE, f"v(m) + v(−m) = {gap:.1%} of the scale", "0%, within 1%")


@SUITE.check("ties")
def _ties(subject: Subject) -> Finding:
    """Where relevance is equal, position must not decide: an image turned by 180° comes out alike.

    All pixels are equally relevant but for two corners, as far from the evidence before as after turning.
    """
    size = toys.side(subject.region)
    images = toys.noise(FLIPPED, size, size) * 0.2
    images[:, :, : size // 2, : size // 2] += 0.7
    tied = torch.ones(FLIPPED, size, size)
    tied[:, : subject.region, -subject.region :] = tied[:, -subject.region :, : subject.region] = 0
    there, back = (subject.ask(given, tied) for given in (images, images.flip(2, 3)))
    difference = there - back
    error = float(difference.std()) / FLIPPED**0.5
    passed = abs(float(difference.mean())) <= max(ERRORS * error, CLOSE * subject.spread())
    return judged(passed, f"turned images differ by {mean_text(difference)}", f"0 ± {ERRORS:g} errors")


@SUITE.check("channels")
def _channels(subject: Subject) -> Finding:
    """The three channels of a pixel are removed at the same step."""
    seen = _seen(subject)
    if not len(seen):
        return inapplicable("no perturbed images went through network.module or network.logits")
    pixels = seen.any(dim=1)
    partly = float((pixels & ~seen.all(dim=1)).sum() / pixels.sum())
    return judged(partly < 0.01, f"{partly:.0%} of the removed pixels keep a channel", "0%")


@SUITE.check("noise")
def _noise(subject: Subject) -> Finding:
    """Noise is drawn for each pixel and channel, not once for each region."""
    if subject.replacement != "uniform":
        return inapplicable("not claimed (replacement uniform)")
    images = subject.mosaics(2)
    network, batches = recording(subject.toys.brightness().module)
    subject.values(network, images, bright(images))
    shares = []
    for batch in batches:
        for image in batch:
            changed = image[_changes(image, images)]
            if len(changed) > 1:
                shares.append(len(changed.unique()) / len(changed))
    if not shares:
        return inapplicable("no perturbed images went through network.module or network.logits")
    return judged(min(shares) > 0.9, f"{min(shares):.0%} of a removed region's values differ", "nearly 100%")


@SUITE.check("score")
def _score(subject: Subject) -> Finding:
    """A logit does not depend on other classes; a probability does."""
    if subject.score is None:
        return inapplicable("not claimed (score)")
    images = subject.mosaics()
    maps = bright(images)
    one, other = (subject.values(subject.toys.brightness(others), images, maps) for others in (-1.0, 0.5))
    gap = float((one - other).abs().max()) / subject.spread()
    seen = f"other weights of another class change values by {gap:.1%} of the scale"
    return judged(
        (gap <= 10 * CLOSE) == (subject.score == "logit"),
        seen,
        "0%, within 1%" if subject.score == "logit" else "a change",
    )


@SUITE.check("closed form")
def _closed_form(subject: Subject) -> Finding:
    """Of a linear network with zero for what is removed, the value follows from the regions' contributions."""
    if subject.value is None or subject.replacement != "zero" or subject.score == "probability":
        return inapplicable("not claimed (value aopc or abpc, replacement zero, score logit)")
    images = subject.mosaics()
    contributions = toys.SLOPE * torch.nn.functional.avg_pool2d(bright(images).double(), subject.region)
    parts = contributions.flatten(start_dim=1) * subject.region**2 / images[0, 0].numel()  # they add up to the score
    most, least = (_walked(parts.sort(dim=1, descending=down).values) for down in (True, False))
    expected = aopc(most) if subject.value == "aopc" else abpc(most, least)
    values = subject.ask(images, bright(images))
    gap = float((values - expected).abs().max()) / float(expected.abs().mean())
    seen = f"{float(values.mean()):.4g}, {gap:.1%} away"
    return judged(gap <= CLOSE, seen, f"{float(expected.mean()):.4g} (all regions, k = 0 … L over L + 1)")


def _walked(removed: Tensor) -> Tensor:
    """(N, L + 1) scores of a linear network while contributions (N, L) go, in this order."""
    scores = removed.sum(dim=1, keepdim=True) - removed.cumsum(dim=1)
    return torch.cat([removed.sum(dim=1, keepdim=True), scores], dim=1)


def _seen(subject: Subject) -> Tensor:
    """(M, 3, H, W) whether a value was changed, of all perturbed images that the network saw."""
    images = subject.mosaics(2)
    network, batches = recording(subject.toys.brightness().module)
    subject.values(network, images, bright(images))
    changed = [_changes(image, images) for batch in batches for image in batch]
    perturbed = [one for one in changed if bool(one.any())]
    return torch.stack(perturbed) if perturbed else torch.zeros(0, *images.shape[1:])


def _changes(image: Tensor, images: Tensor) -> Tensor:
    """(3, H, W) whether a value differs from the nearest of the untouched images."""
    differ = (image - images).abs() > 1e-6
    return differ[int(differ.flatten(start_dim=1).sum(dim=1).argmin())]
