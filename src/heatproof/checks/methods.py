"""Checks of a heatmap method."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from heatproof.checks import toys
from heatproof.checks.findings import Checked, Finding, inapplicable, judged, mean_text, noted, run_checks
from heatproof.checks.invariances import INVARIANCES
from heatproof.checks.toys import Toys
from heatproof.heatmaps import check_heatmaps, explain
from heatproof.heatmaps.explaining import OwnMethod
from heatproof.heatmaps.naming import method_of
from heatproof.measures import abpc
from heatproof.network import Network
from heatproof.perturbation import perturb
from heatproof.registry import Registry

CLASSES_AT_LEAST = 2  # class 0 and class 1 exist in every network
CLOSE = 1e-3  # of the largest value: float32, added up in another order
COUNT = 4
SIZE = 16


@dataclass(frozen=True)
class MethodUnderTest:
    """A method, what it claims, and the network on which it is asked."""

    method: str | OwnMethod
    network: Network
    images: Tensor
    sums_to_score: bool
    toys: Toys

    def evaluate(self, network: Network, images: Tensor, targets: Tensor | None = None) -> Tensor:
        """(N, H, W) float64 maps, checked."""
        targets = toys.predicted(network, images) if targets is None else targets
        if isinstance(self.method, str):
            return explain(network, images, self.method, targets=targets).double()
        found = torch.as_tensor(self.method(network, images, targets)).detach().cpu()
        return check_heatmaps(found, images, "the method").double()

    def general(self) -> tuple[Network, list[Tensor]]:
        """The network and images for checks that need no known answer."""
        return self.network, [self.images]

    def asked(self) -> Tensor:
        """Maps of these images."""
        return self.evaluate(self.network, self.images)

    def same(self, one: Tensor, other: Tensor, how: str) -> Finding:
        """Whether two sets of maps are the same, but for rounding."""
        gap = _gap(one, other)
        return judged(gap <= CLOSE, f"{how}: maps differ by {gap:.1e} of their range", f"at most {CLOSE:g}")


CHECKS: Registry[Callable[[MethodUnderTest], Finding]] = Registry("check")


def check_method(
    method: str | OwnMethod,
    *,
    network: Network | None = None,
    sums_to_score: bool = False,
    only: Collection[str] | None = None,
    name: str | None = None,
) -> Checked:
    """Checks a heatmap method on small networks whose right answers are known.

    Args:
        method: a callable ``(network, images, targets) -> (N, H, W)`` of a ``Network``, images (N, 3, H, W) in [0, 1]
            and class indices (N,), or the name of a method of heatproof's. ``network.module`` is the torch module, and
            ``network.inputs(images)`` what it reads.
        network: yours, instead of a small convolutional one, for the checks that need no known answer.
        sums_to_score: the method claims that a map adds up to the score where there are no biases.
        only: names of the checks to make; by default all.
        name: of the method, for the table.

    Returns:
        What was found; ``.passed`` says whether nothing failed.

    >>> found = check_method("lrp-epsilon", sums_to_score=True)
    >>> found.passed
    True
    >>> [check.name for check in check_method("sobel").failed]
    ['weights', 'class']
    """
    made = Toys()
    chosen = network or made.cnn()
    if isinstance(method, str):
        method_of(method, chosen)  # refuses an unknown name
    images = toys.noise(COUNT, *(toys.size_of(network) if network else (SIZE, SIZE)))
    known_as = method if isinstance(method, str) else str(getattr(method, "__name__", "method"))
    subject = MethodUnderTest(method, chosen, images, sums_to_score, made)
    return run_checks(CHECKS, name or known_as, subject, only)


@CHECKS.register("one map per image")
def _one_map(subject: MethodUnderTest) -> Finding:
    """One finite number for each pixel: (N, 3, H, W) in, (N, H, W) out, the three channels of a pixel together."""
    maps = subject.asked()
    return judged(True, f"{tuple(subject.images.shape)} → {tuple(maps.shape)}", "(N, 3, H, W) → (N, H, W), finite")


@CHECKS.register("any size")
def _any_size(subject: MethodUnderTest) -> Finding:
    """Images need not be square, nor multiples of anything."""
    for height, width in (13, 22), (22, 13), (17, 17):
        subject.evaluate(subject.toys.cnn(), toys.noise(2, height, width))
    return judged(True, "maps for 13 × 22, 22 × 13, 17 × 17", "maps of the images' size")


for _name, _check in INVARIANCES.items():
    CHECKS.register(_name)(_check)


@CHECKS.register("weights")
def _weights(subject: MethodUnderTest) -> Finding:
    """Other weights make another map: it explains this network, not the image [Adebayo2018]."""
    targets = toys.predicted(subject.network, subject.images)
    other = subject.evaluate(subject.network.randomised(), subject.images, targets)
    return _different(subject.asked(), other, "with shuffled weights")


@CHECKS.register("class")
def _class(subject: MethodUnderTest) -> Finding:
    """Another class makes another map: it explains this decision."""
    targets = toys.predicted(subject.network, subject.images)
    other = subject.evaluate(subject.network, subject.images, (targets + 1) % CLASSES_AT_LEAST)
    return _different(subject.evaluate(subject.network, subject.images, targets), other, "for another class")


@CHECKS.register("way of writing")
def _way_of_writing(subject: MethodUnderTest) -> Finding:
    """ReLUs written as functions instead of modules change nothing: the function of the network is the same.

    Deconvolution and guided backpropagation by hooks on ``nn.ReLU`` silently become the gradient.
    """
    images = toys.noise(COUNT, SIZE, SIZE)
    modules, functions = (
        subject.evaluate(subject.toys.cnn(functional=functional), images) for functional in (False, True)
    )
    return subject.same(modules, functions, "with ReLUs as modules and as functions")


@CHECKS.register("constant image")
def _constant_image(subject: MethodUnderTest) -> Finding:
    """An image without structure has a finite map, too."""
    maps = subject.evaluate(subject.network, torch.full_like(subject.images[:1], 0.5))
    tied = 1 - len(maps.unique()) / maps.numel()
    return judged(True, f"finite; {tied:.0%} of the values are tied", "finite")


@CHECKS.register("sums to the score")
def _sums(subject: MethodUnderTest) -> Finding:
    """Where there are no biases the map adds up to the score, also behind a residual addition."""
    if not subject.sums_to_score:
        return inapplicable("not claimed (sums_to_score)")
    network, images = subject.toys.cnn(bias=False), toys.noise(COUNT, SIZE, SIZE)
    sums = subject.evaluate(network, images).sum(dim=(1, 2))
    scores = network.logits(images).amax(dim=1).double()
    worst = float((sums / scores - 1).abs().max())
    return judged(worst < 0.05, f"within {worst:.1%} of the score", "within 5%")


@CHECKS.register("linear network")
def _linear(subject: MethodUnderTest) -> Finding:
    """A map of a linear network ⟨w, x⟩ must rank pixels as w·x, what each of them contributes: rank correlation 1."""
    network, images = subject.toys.linear(SIZE, SIZE), toys.noise(COUNT, SIZE, SIZE)
    targets = torch.zeros(COUNT, dtype=torch.int64)
    try:
        maps = subject.evaluate(network, images, targets)
    except Exception as error:
        return inapplicable(f"not for a linear network ({type(error).__name__})")
    weight = next(network.module.parameters())[0].reshape(1, 3, SIZE, SIZE)
    contributions = (weight * images).sum(dim=1)
    found = [_correlation(one, other) for one, other in zip(maps, contributions, strict=True)]
    return noted(f"rank correlation with the contributions {np.mean(found):.2f}", "1 for a method of contributions")


@CHECKS.register("against chance")
def _against_chance(subject: MethodUnderTest) -> Finding:
    """ABPC on a network that adds up the brightness of all pixels, beside that of random maps and of the best map."""
    network = subject.toys.brightness()
    images = toys.mosaics(8, SIZE, SIZE, 4)
    try:
        maps = subject.evaluate(network, images, torch.zeros(8, dtype=torch.int64))
    except Exception as error:
        return inapplicable(f"not for this network ({type(error).__name__})")
    random = toys.random_maps(8, SIZE, SIZE, seed=0)
    found = {"the method": maps, "random maps": random, "the best map": images.mean(dim=1)}
    texts = [f"{name} {mean_text(_abpc(network, images, given))}" for name, given in found.items()]
    return noted("; ".join(texts), "random maps: about 0")


def _abpc(network: Network, images: Tensor, maps: Tensor) -> Tensor:
    targets = torch.zeros(len(images), dtype=torch.int64)
    morf, lerf = (
        perturb(
            network, images, maps, targets=targets, order=order, regions=4, repeats=1, replacement="black",
            engine="full",
        )
        for order in ("morf", "lerf")
    )  # fmt: skip
    return abpc(morf, lerf).double()


def _correlation(one: Tensor, other: Tensor) -> float:
    constant = float(one.std()) == 0
    return 0.0 if constant else float(spearmanr(one.flatten().numpy(), other.detach().flatten().numpy()).statistic)


def _different(one: Tensor, other: Tensor, how: str) -> Finding:
    gap = _gap(one, other)
    return judged(gap > CLOSE, f"{how}: maps differ by {gap:.1e} of their range", f"more than {CLOSE:g}")


def _gap(one: Tensor, other: Tensor) -> float:
    """Largest difference, over the largest absolute value."""
    return float((one - other).abs().max()) / max(float(one.abs().max()), float(other.abs().max()), 1e-30)
