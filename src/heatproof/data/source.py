"""Where a study's images come from: files that are decoded when they are wanted, or a tensor.

Images have different names, and an order of their own. A fingerprint tells a resumed run that they are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Protocol

from torch import Tensor

from heatproof.data.dataset import Dataset
from heatproof.data.pictures import Pictures, read_shard
from heatproof.data.preprocessing import Preprocessing


class Source(Protocol):
    """What gives images by their places."""

    @property
    def name(self) -> str:
        """What all of them are called."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all images, in order."""

    @property
    def fingerprint(self) -> str:
        """Hash of the names in their order."""

    def read(self, numbers: Sequence[int], /) -> Pictures:
        """The images at these places, as far as they can be used."""


class Files:
    """The pictures of a data set, decoded as a network wants them; those that were read last are kept.

    Args:
        dataset: the pictures.
        preprocessing: of the network.
    """

    def __init__(self, dataset: Dataset, preprocessing: Preprocessing) -> None:
        self.dataset, self.preprocessing = dataset, preprocessing
        self.name, self.names = dataset.name, tuple(member.name for member in dataset.members)
        self._last: tuple[list[int], Pictures] | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of the names in their order."""
        return self.dataset.fingerprint

    def read(self, numbers: Sequence[int]) -> Pictures:
        """Decodes the pictures at these places."""
        places = list(numbers)
        if self._last is None or self._last[0] != places:
            self._last = places, read_shard(self.dataset, places, self.preprocessing)
        return self._last[1]


@dataclass(frozen=True, eq=False)
class GivenImages:
    """Images (N, C, H, W) in [0, 1] that are there, and their names."""

    images: Tensor
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", self.images.detach())  # nobody asks for gradients of a study

    @property
    def name(self) -> str:
        """What a tensor is called."""
        return "given images"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the names in their order."""
        return blake2b(repr((self.name, self.names)).encode(), digest_size=8).hexdigest()

    def read(self, numbers: Sequence[int]) -> Pictures:
        """The images at these places."""
        places = list(numbers)
        whole = places == list(range(len(self.images)))
        images = self.images if whole else self.images[places]
        return Pictures(images, tuple(self.names[place] for place in places), numbers=tuple(places))
