"""Checks of precomputed heatmaps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from heatproof.checks.findings import Checked, Finding, inapplicable, judged, mean_text, noted, run_checks
from heatproof.heatmaps import explain
from heatproof.heatmaps.precomputed import ImageSelection, MapFile
from heatproof.measures import abpc
from heatproof.network import Network
from heatproof.perturbation import perturb
from heatproof.perturbation.regions import as_regions, relevance_of_regions
from heatproof.registry import Registry


@dataclass(frozen=True)
class MapsUnderTest:
    """Maps, their images, and the network that they are said to explain."""

    heatmaps: Tensor
    images: Tensor
    network: Network | None
    region: int


CHECKS: Registry[Callable[[MapsUnderTest], Finding]] = Registry("check")


def check_maps(
    heatmaps: Tensor, images: Tensor, *, network: Network | None = None, region: int = 9, name: str = "maps"
) -> Checked:
    """Checks precomputed heatmaps.

    Args:
        heatmaps: what should be (N, H, W), signed, one for each image.
        images: (N, C, H, W) in [0, 1].
        network: that they explain, to see whether they beat chance.
        region: side of the regions, in pixels.
        name: for the table.

    >>> check_maps(torch.rand(2, 18, 18), torch.rand(2, 3, 18, 18)).passed
    True
    >>> [check.name for check in check_maps(torch.rand(2, 3, 18, 18), torch.rand(2, 3, 18, 18)).failed]
    ['one map per image']
    """
    return run_checks(CHECKS, name, MapsUnderTest(torch.as_tensor(heatmaps), images, network, region))


def read_maps(path: Path, names: Sequence[str]) -> Tensor:
    """Maps, as they are in a ``.npz``, ``.npy``, ``.zarr`` or ``.safetensors`` file, of pictures with these names.

    All in one array (N, H, W), or one array (H, W) for each picture, found by its name, its file name, or that without
    the suffix.

    Raises:
        InputError: if the file cannot be read, or a picture has no map in it.
    """
    return MapFile(path, "maps").read_unchecked(ImageSelection.every(len(names), names)).float()


@CHECKS.register("one map per image")
def _one_map(subject: MapsUnderTest) -> Finding:
    """One number for each pixel: (N, H, W), the three channels of a pixel together."""
    seen = tuple(subject.heatmaps.shape)
    return judged(_fits(subject), str(seen), f"(N, H, W) = {(len(subject.images), *subject.images.shape[2:])}")


@CHECKS.register("finite")
def _finite(subject: MapsUnderTest) -> Finding:
    """No NaN, no infinity."""
    count = int((~torch.isfinite(subject.heatmaps)).sum())
    return judged(count == 0, f"{count} values are not finite", "0")


@CHECKS.register("not constant")
def _not_constant(subject: MapsUnderTest) -> Finding:
    """A constant map is a random order."""
    if not _fits(subject):
        return inapplicable("shapes do not match")
    flat = subject.heatmaps.flatten(start_dim=1)
    count = int((flat.amin(dim=1) == flat.amax(dim=1)).sum())
    return judged(count == 0, f"{count} of {len(flat)} maps are constant", "0")


@CHECKS.register("each its own")
def _each_its_own(subject: MapsUnderTest) -> Finding:
    """Different images have different maps."""
    if not _fits(subject):
        return inapplicable("shapes do not match")
    count = len(subject.heatmaps.unique(dim=0))
    wanted = len(subject.images.unique(dim=0))
    return judged(count >= wanted, f"{count} different maps", f"{wanted} different images")


@CHECKS.register("ties")
def _ties(subject: MapsUnderTest) -> Finding:
    """Regions of equal relevance are shuffled; many of them mean that chance decides."""
    if not _fits(subject) or min(subject.images.shape[2:]) < subject.region:
        return inapplicable("shapes do not match")
    regions = as_regions(subject.region, subject.images)
    found = relevance_of_regions(subject.heatmaps, regions)
    tied = sum(len(one) - len(set(one.tolist())) for one in found) / sum(map(len, found))
    return noted(f"{tied:.0%} of the regions are tied with another", "few")


@CHECKS.register("against chance")
def _against_chance(subject: MapsUnderTest) -> Finding:
    """ABPC of these maps beside that of random maps, with uniform noise for what is removed."""
    if subject.network is None or not _fits(subject):
        return inapplicable("no network was given" if subject.network is None else "shapes do not match")
    mine, chance = (_abpc(subject, maps) for maps in (subject.heatmaps, None))
    return noted(f"these maps {mine}; random maps {chance}", "above that of random maps")


def _abpc(subject: MapsUnderTest, maps: Tensor | None) -> str:
    network, images = subject.network, subject.images
    assert network is not None
    shown = explain(network, images, "random") if maps is None else maps
    curves = [
        perturb(network, images, shown, order=order, regions=subject.region, repeats=1) for order in ("morf", "lerf")
    ]
    return mean_text(abpc(*curves).double())


def _fits(subject: MapsUnderTest) -> bool:
    return tuple(subject.heatmaps.shape) == (len(subject.images), *subject.images.shape[2:])
