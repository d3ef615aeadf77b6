"""Checks of a metric that evaluates heatmaps."""

import math
from collections.abc import Callable, Collection

import torch
from torch import Tensor

from heatproof.checks import toys
from heatproof.checks.findings import PASSED, Checked, Finding, inapplicable, judged, mean_text, noted, run_checks
from heatproof.checks.invariances import INVARIANCES
from heatproof.checks.metric_claims import CLOSE, Metric, MetricClaims, MetricUnderTest, bright
from heatproof.checks.toys import Toys, recording
from heatproof.measures import abpc, aopc
from heatproof.network import Network
from heatproof.registry import Registry

FLIPPED = 24  # images for the check of ties: chance must not look like a habit
ERRORS = 4.0  # standard errors that chance may be away
SHARP = 0.9
NOTHING_SEEN = "no perturbed images went through network.module or network.logits"
CHECKS: Registry[Callable[[MetricUnderTest], Finding]] = Registry("check")


def check_metric(
    metric: Metric,
    claims: MetricClaims | None = None,
    *,
    network: Network | None = None,
    only: Collection[str] | None = None,
    name: str | None = None,
) -> Checked:
    """Checks a metric of heatmaps on small networks whose right answers are known.

    Args:
        metric: a callable ``(network, images, targets, heatmaps) -> (N,)`` of a ``Network``, images (N, 3, H, W) in
            [0, 1], class indices (N,) and float32 heatmaps (N, H, W). ``network.module`` is the torch module.
        claims: what the metric says of itself; by default that higher is better, that regions are squares of 9 pixels,
            and that only the order of their relevance counts.
        network: yours, instead of a small convolutional one, for the checks that need no known answer.
        only: names of the checks to make; by default all.
        name: of the metric, for the table.

    Returns:
        What was found; ``.passed`` says whether nothing failed.

    >>> import heatproof as hp
    >>> def mine(network, images, targets, heatmaps):
    ...     curves = hp.perturb(network, images, heatmaps, targets=targets, regions=4, repeats=1, replacement="black")
    ...     return hp.aopc(curves)
    >>> check_metric(mine, MetricClaims(region=4, value="aopc", replacement="zero", score="logit")).passed
    True
    >>> [check.name for check in check_metric(mine, MetricClaims(region=4, higher_is_better=False)).failed]
    ['direction', 'sizes']
    """
    subject = MetricUnderTest(metric, claims or MetricClaims(), network, Toys())
    return run_checks(CHECKS, name or str(getattr(metric, "__name__", "metric")), subject, only)


@CHECKS.register("one value per image")
def _one_value(subject: MetricUnderTest) -> Finding:
    """One finite number for each image."""
    network, (images, maps) = subject.general()
    values = subject.evaluate(network, images, maps)
    return judged(True, f"{tuple(images.shape)} → {tuple(values.shape)}", "(N, 3, H, W) → (N,), finite")


@CHECKS.register("direction")
def _direction(subject: MetricUnderTest) -> Finding:
    """A good map comes out better than random maps, and these better than the good map's opposite."""
    return subject.ordered((toys.side(subject.claims.region),) * 2)


@CHECKS.register("chance")
def _chance(subject: MetricUnderTest) -> Finding:
    """Random maps get what chance gets: 0 for an area between two curves."""
    images, chance = subject.mosaics(), subject.claims.chance
    values = torch.cat([subject.ask_random(images, seed) for seed in range(4)])
    seen = f"random maps get {mean_text(values)}"
    if chance is None:
        return noted(seen, "no value of chance was stated (chance)")
    away = abs(float(values.mean()) - chance)
    errors = away / max(float(values.std()) / len(values) ** 0.5, 1e-12)
    passed = errors <= ERRORS or away <= CLOSE * subject.spread()
    return judged(passed, seen, f"{chance:g} ± {ERRORS:g} errors")


@CHECKS.register("reversal")
def _reversal(subject: MetricUnderTest) -> Finding:
    """Minus a map without ties swaps MoRF and LeRF: where chance is 0, the value changes its sign and nothing else."""
    if subject.claims.chance is None:
        return inapplicable("no value of chance was stated (chance)")
    images = subject.mosaics()
    maps = toys.random_maps(*images[:, 0].shape, seed=5)
    there, back = (subject.ask(images, sign * maps) - subject.claims.chance for sign in (1, -1))
    gap = float((there + back).abs().max()) / subject.spread()
    return judged(gap <= 10 * CLOSE, f"v(m) + v(−m) = {gap:.1%} of the scale", "0%, within 1%")


@CHECKS.register("ties")
def _ties(subject: MetricUnderTest) -> Finding:
    """Where relevance is equal, position must not decide: an image turned by 180° comes out alike.

    All pixels are equally relevant but for two corners, as far from the evidence before as after turning.
    """
    region = subject.claims.region
    size = toys.side(region)
    images = toys.noise(FLIPPED, size, size) * 0.2
    images[:, :, : size // 2, : size // 2] += 0.7
    tied = torch.ones(FLIPPED, size, size)
    tied[:, :region, -region:] = tied[:, -region:, :region] = 0
    there, back = (subject.ask(given, tied) for given in (images, images.flip(2, 3)))
    difference = there - back
    error = float(difference.std()) / FLIPPED**0.5
    passed = abs(float(difference.mean())) <= max(ERRORS * error, CLOSE * subject.spread())
    return judged(passed, f"turned images differ by {mean_text(difference)}", f"0 ± {ERRORS:g} errors")


@CHECKS.register("channels")
def _channels(subject: MetricUnderTest) -> Finding:
    """The three channels of a pixel are removed at the same step."""
    perturbed = [changed for _, changed in _perturbed(subject)]
    if not perturbed:
        return inapplicable(NOTHING_SEEN)
    seen = torch.stack(perturbed)
    pixels = seen.any(dim=1)
    partly = float((pixels & ~seen.all(dim=1)).sum() / pixels.sum())
    return judged(partly < 0.01, f"{partly:.0%} of the removed pixels keep a channel", "0%")


@CHECKS.register("noise")
def _noise(subject: MetricUnderTest) -> Finding:
    """Noise is drawn for each pixel and channel, not once for each region."""
    if subject.claims.replacement != "uniform":
        return inapplicable("not claimed (replacement uniform)")
    removed = [image[changed] for image, changed in _perturbed(subject)]
    shares = [len(values.unique()) / len(values) for values in removed if len(values) > 1]
    if not shares:
        return inapplicable(NOTHING_SEEN)
    return judged(min(shares) > 0.9, f"{min(shares):.0%} of a removed region's values differ", "nearly 100%")


@CHECKS.register("score")
def _score(subject: MetricUnderTest) -> Finding:
    """A logit does not depend on other classes; a probability does."""
    if subject.claims.score is None:
        return inapplicable("not claimed (score)")
    images = subject.mosaics()
    one, other = (subject.evaluate(subject.toys.brightness(w), images, bright(images)) for w in (-1.0, 0.5))
    gap = float((one - other).abs().max()) / subject.spread()
    is_logit = subject.claims.score == "logit"
    seen = f"other weights of another class change values by {gap:.1%} of the scale"
    return judged((gap <= 10 * CLOSE) == is_logit, seen, "0%, within 1%" if is_logit else "a change")


@CHECKS.register("closed form")
def _closed_form(subject: MetricUnderTest) -> Finding:
    """The value for a linear network, with zero for removed regions, follows from the regions' contributions."""
    claims = subject.claims
    if claims.value is None or claims.replacement != "zero" or claims.score == "probability":
        return inapplicable("not claimed (value aopc or abpc, replacement zero, score logit)")
    images = subject.mosaics()
    contributions = toys.SLOPE * torch.nn.functional.avg_pool2d(bright(images).double(), claims.region)
    parts = contributions.flatten(start_dim=1) * claims.region**2 / images[0, 0].numel()  # they add up to the score
    most, least = (_linear_curve(parts.sort(dim=1, descending=down).values) for down in (True, False))
    expected = aopc(most) if claims.value == "aopc" else abpc(most, least)
    values = subject.ask(images, bright(images))
    gap = float((values - expected).abs().max()) / float(expected.abs().mean())
    seen = f"{float(values.mean()):.4g}, {gap:.1%} away"
    return judged(gap <= CLOSE, seen, f"{float(expected.mean()):.4g} (all regions, k = 0 … L over L + 1)")


@CHECKS.register("monotone transform")
def _monotone(subject: MetricUnderTest) -> Finding:
    """Only the order of regions counts: a strictly increasing function of their relevance changes nothing."""
    if not subject.claims.only_order:
        return inapplicable("the metric uses the size of relevance (only_order)")
    images, region = subject.mosaics(), subject.claims.region
    count, _, height, width = images.shape
    coarse = toys.random_maps(count, height // region, width // region, seed=6)
    maps = coarse.repeat_interleave(region, dim=1).repeat_interleave(region, dim=2)
    return subject.same(subject.ask(images, maps), subject.ask(images, maps.exp()), "m and exp(m)")


@CHECKS.register("sizes")
def _sizes(subject: MetricUnderTest) -> Finding:
    """Images that are not square, nor multiples of the region, are judged in the same direction, and as sharply.

    How far a good map and its opposite are apart may shrink where regions do not fit the squares in the image; where
    they do fit, it must not.
    """
    region = subject.claims.region
    side = toys.side(region)
    height, width = side + math.ceil(region / 3), side + region + math.ceil(region / 2)  # multiples of 1 pixel alone
    odd = {size: subject.ordered(size) for size in ((height, width), (width, height))}
    oblong = (side, side + 2 * region), (side + 2 * region, side)
    sharpness = {size: subject.spread(size) / subject.spread() for size in oblong}
    seen = [f"{height} × {width}: {one.seen}" for (height, width), one in odd.items()]
    seen += [f"{height} × {width}: {share:.0%} as sharp as square ones" for (height, width), share in sharpness.items()]
    findings = list(odd.values())
    passed = all(one.outcome == PASSED for one in findings) and min(sharpness.values()) > SHARP
    return judged(passed, "; ".join(seen), f"{findings[0].expected}; above {SHARP:.0%}")


for _name, _check in INVARIANCES.items():
    CHECKS.register(_name)(_check)


def _linear_curve(removed: Tensor) -> Tensor:
    """(N, L + 1) scores of a linear network while contributions (N, L) go, in this order."""
    total = removed.sum(dim=1, keepdim=True)
    return torch.cat([total, total - removed.cumsum(dim=1)], dim=1)


def _perturbed(subject: MetricUnderTest) -> list[tuple[Tensor, Tensor]]:
    """Perturbed images (3, H, W) that the network saw, and where each differs from the nearest untouched one."""
    images = subject.mosaics(2)
    network, batches = recording(subject.toys.brightness().module)
    subject.evaluate(network, images, bright(images))
    found = []
    for image in torch.cat(batches) if batches else []:
        differ = (image - images).abs() > 1e-6
        changed = differ[int(differ.flatten(start_dim=1).sum(dim=1).argmin())]
        if bool(changed.any()):
            found.append((image, changed))
    return found
