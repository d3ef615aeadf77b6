"""Checks of a metric that change something that must not count."""

import torch

from heatproof.checks import toys
from heatproof.checks.findings import PASSED, Finding, inapplicable, judged
from heatproof.checks.judging import SUITE, Subject, ordered, same
from heatproof.checks.states import left_alone, with_states

SHARP = 0.9


@SUITE.check("monotone transform")
def _monotone(subject: Subject) -> Finding:
    """Only the order of regions counts: a strictly increasing function of their relevance changes nothing."""
    if not subject.only_order:
        return inapplicable("the metric uses the size of relevance (only_order)")
    images = subject.mosaics()
    height, width = images.shape[2:]
    coarse = toys.random_maps(len(images), height // subject.region, width // subject.region, seed=6)
    maps = coarse.repeat_interleave(subject.region, dim=1).repeat_interleave(subject.region, dim=2)
    return same(subject, subject.ask(images, maps), subject.ask(images, maps.exp()), "m and exp(m)")


@SUITE.check("sizes")
def _sizes(subject: Subject) -> Finding:
    """Images that are not square, nor multiples of the region, are judged in the same direction, and as sharply.

    How far a good map and its opposite are apart may shrink where regions do not fit the squares in the image; where
    they do fit, it must not.
    """
    odd = [ordered(subject, size) for size in toys.odd_sizes(subject.region)]
    sharpness = [subject.spread(size) / subject.spread() for size in toys.oblong_sizes(subject.region)]
    seen = [f"{_text(size)}: {one.seen}" for size, one in zip(toys.odd_sizes(subject.region), odd, strict=True)]
    seen += [
        f"{_text(size)}: {share:.0%} as sharp as square ones"
        for size, share in zip(toys.oblong_sizes(subject.region), sharpness, strict=True)
    ]
    passed = all(one.outcome == PASSED for one in odd) and min(sharpness) > SHARP
    return judged(passed, "; ".join(seen), f"{odd[0].expected}; above {SHARP:.0%}")


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


@SUITE.check("batch")
def _batch(subject: Subject) -> Finding:
    """A value depends on its own image and map, not on those that went through with it."""
    network, images, maps = subject.general()
    maps[0] *= 10  # a scale taken from the whole batch would change the others
    alone = torch.cat([subject.values(network, images[i : i + 1], maps[i : i + 1]) for i in range(len(images))])
    return same(subject, subject.values(network, images, maps), alone, "together and alone")


@SUITE.check("order of images")
def _order(subject: Subject) -> Finding:
    """A value depends on its own image and map, not on their place in the batch."""
    network, images, maps = subject.general()
    backwards = subject.values(network, images.flip(0), maps.flip(0)).flip(0)
    return same(subject, subject.values(network, images, maps), backwards, "forwards and backwards")


@SUITE.check("global randomness")
def _randomness(subject: Subject) -> Finding:
    """No global random state is read or moved: it belongs to the user."""
    network, images, maps = subject.general()
    first, moved = with_states(1, lambda: subject.values(network, images, maps))
    second, _ = with_states(2, lambda: subject.values(network, images, maps))
    found = same(subject, first, second, "under two seeds")
    if moved:
        return judged(False, f"{found.seen}; moves the state of {', '.join(moved)}", found.expected)
    return found


@SUITE.check("leaves things alone")
def _leaves_alone(subject: Subject) -> Finding:
    """Weights, modes, hooks, gradients, images and maps are afterwards as they were."""
    network, images, maps = subject.general()
    return left_alone(network, [images, maps], lambda: subject.values(network, images, maps))
