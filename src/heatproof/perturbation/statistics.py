"""Mean and spread of a data set's images, for replacements that look like the data."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from heatproof.errors import InputError
from heatproof.randomness import identify

OF_THIS_RUN = "the images of this run"
AT_ONCE = 64
UNIT = 2.0**32  # sums are of whole numbers of this unit, so the order of the images cannot change them


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean and spread of images, for each channel and location.

    Attributes:
        mean: (C, H, W) in [0, 1]; the mean image.
        std: (C, H, W) standard deviation over the images (divided by their number).
        count: how many images there were.
        source: where they came from, in words.
        images_blake2b: a hash of the identities of all images, whatever their order.

    >>> statistics = Statistics.of(torch.stack([torch.zeros(3, 2, 2), torch.ones(3, 2, 2)]))
    >>> statistics.mean[0, 0], statistics.std[0, 0], statistics.count
    (tensor([0.5000, 0.5000]), tensor([0.5000, 0.5000]), 2)
    """

    mean: Tensor
    std: Tensor
    count: int
    source: str
    images_blake2b: str

    @classmethod
    def of(cls, images: Tensor, source: str = OF_THIS_RUN) -> "Statistics":
        """Statistics of images (N, C, H, W) in [0, 1]; their order changes nothing."""
        return cls.of_batches(lambda: images.split(AT_ONCE), source)

    @classmethod
    def of_batches(cls, batches: Callable[[], Iterable[Tensor]], source: str = OF_THIS_RUN) -> "Statistics":
        """Statistics of images (n, C, H, W) that come in batches, twice; how they are cut changes nothing."""
        mean, _ = _mean(batches(), lambda batch: batch)
        identities: list[str] = []

        def squared(batch: Tensor) -> Tensor:
            identities.extend(identify(batch))
            return (batch - mean) ** 2

        variance, count = _mean(batches(), squared)
        digest = hashlib.blake2b("".join(sorted(identities)).encode(), digest_size=16).hexdigest()
        return cls(mean.float(), variance.sqrt().float(), count, source, digest)

    @classmethod
    def read(cls, path: str | Path) -> "Statistics":
        """Statistics from a file that ``save`` wrote.

        Raises:
            InputError: if it is not there, is not such a file, or its values are not those of images in [0, 1].
        """
        if not Path(path).is_file():
            raise InputError(f"there is no file {str(path)!r} with statistics; 'heatproof statistics' writes one")
        return cls.from_bytes(Path(path).read_bytes(), str(path))

    @classmethod
    def from_bytes(cls, data: bytes, path: str) -> "Statistics":
        """Statistics from what ``to_bytes`` made, which lies at this path, for messages and as a source."""
        try:
            tensors = load(data)
            found = {name: tensors[name].float() for name in ("mean", "std")}
            about = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
        except (SafetensorError, KeyError) as error:
            raise InputError(
                f"{path!r} is not a safetensors file that holds 'mean' and 'std', (C, H, W) each: {error}"
            ) from error
        _check(found, path)
        count = about.get("count", "")
        return cls(
            **found,
            count=int(count) if count.isdecimal() else 0,
            source=about.get("source", path),
            images_blake2b=about.get("images_blake2b", "unknown"),
        )

    def save(self, path: str | Path) -> Path:
        """Writes a safetensors file: ``mean`` and ``std``, and where they come from as its metadata."""
        Path(path).write_bytes(self.to_bytes())
        return Path(path)

    def to_bytes(self) -> bytes:
        """What ``save`` writes."""
        about = {"source": self.source, "count": str(self.count), "images_blake2b": self.images_blake2b}
        return save({"mean": self.mean.contiguous(), "std": self.std.contiguous()}, metadata=about)

    def check(self, images: Tensor) -> None:
        """Refuses images (N, C, H, W) of another size than those that the statistics are of."""
        if self.mean.shape != images.shape[1:]:
            raise InputError(
                f"statistics must be of images of shape (C, H, W) = {tuple(images.shape[1:])}, got "
                f"{tuple(self.mean.shape)}; make them with the preprocessing of this run"
            )

    def describe(self) -> dict[str, Any]:
        """Where they come from, as JSON-able values."""
        return {"source": self.source, "count": self.count, "images_blake2b": self.images_blake2b}

    def __str__(self) -> str:
        return f"{self.source} ({self.count:,} images)"


def as_statistics(given: Statistics | str | Path | None) -> Statistics | None:
    """Statistics as they are, or from a file; none for none."""
    return Statistics.read(given) if isinstance(given, str | Path) else given


def _mean(batches: Iterable[Tensor], values: Callable[[Tensor], Tensor]) -> tuple[Tensor, int]:
    """(C, H, W) mean in float64 of values made from images (n, C, H, W), and how many images there were."""
    total, count = torch.zeros(()).long(), 0
    for batch in batches:
        total = total + (values(batch.cpu().double()) * UNIT).round().long().sum(dim=0)
        count += len(batch)
    return total.double() / (UNIT * count), count


def _check(found: dict[str, Tensor], path: str) -> None:
    mean, std = found["mean"], found["std"]
    if mean.ndim != 3 or mean.shape != std.shape:
        raise InputError(
            f"'mean' and 'std' in {path!r} must have shape (C, H, W) both, got {tuple(mean.shape)} and "
            f"{tuple(std.shape)}"
        )
    for name, values in found.items():
        if not bool(((values >= 0) & (values <= 1)).all()):
            raise InputError(f"{name!r} in {path!r} must lie in [0, 1], as images do; divide by 255 if they are bytes")
