"""Where a study keeps what its shards gave: in memory, or in the store of a run (``shards.py``)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from heatproof.perturbation import Protocol
from heatproof.results.audit import Audit
from heatproof.results.chosen import Chosen, taken
from heatproof.results.part import Part
from heatproof.results.rounding import Rounding


@dataclass(frozen=True)
class Whole:
    """A complete shard.

    Attributes:
        number: of the shard.
        part: what its images gave; none where no picture could be used, or none was needed any more.
        positions: (n) of its images in the study.
        skipped: names of pictures that could not be used, each with the reason.
        about: evaluations, seconds and worker.
    """

    number: int
    part: Part | None
    positions: tuple[int, ...]
    skipped: tuple[tuple[str, str], ...]
    about: Mapping[str, Any]


class Sink(ABC):
    """Keeps the shards of ``count`` images, ``size`` in each, and the audit.

    Attributes:
        count: how many images there are.
        size: of a shard.
        lasts: whether a later command could resume from what is kept.
        note: what a reader must know about where the study lies; empty for nothing.
    """

    count: int
    size: int
    lasts: ClassVar[bool] = True
    note: str = ""

    def __len__(self) -> int:
        return -(-self.count // self.size)

    def positions(self, number: int) -> range:
        """Positions of a shard's images in the study."""
        return range(number * self.size, min((number + 1) * self.size, self.count))

    @abstractmethod
    def whole(self) -> list[int]:
        """Numbers of the complete shards."""

    @abstractmethod
    def write(self, whole: Whole, images: Mapping[int, Tensor]) -> None:
        """Keeps a shard whose part has heatmaps, and those of its images (C, H, W) that the page shows, by position."""

    @abstractmethod
    def read_all(self, protocol: Protocol) -> Iterator[Whole]:
        """All complete shards, in order; their parts may lack heatmaps, and leave orders where they are stored."""

    @abstractmethod
    def image_size(self) -> tuple[int, int]:
        """(H, W)."""

    @abstractmethod
    def heatmaps(self, positions: Sequence[int]) -> dict[str, Tensor]:
        """(n, H, W) at these positions, by method."""

    @abstractmethod
    def shown(self, positions: Sequence[int]) -> Chosen:
        """The pictures that the page shows; ``positions`` are those of all images of the study."""

    @abstractmethod
    def audit(self, protocol: Protocol, images: int) -> Audit | None:
        """The audit, if there is one of so many images."""

    @abstractmethod
    def keep_audit(self, audit: Audit, images: int) -> None:
        """Keeps the audit of a study of so many images."""

    @abstractmethod
    def rounding(self, protocol: Protocol, images: int) -> Rounding | None:
        """The errors of another precision, if they were measured with so many images."""

    @abstractmethod
    def keep_rounding(self, rounding: Rounding, images: int) -> None:
        """Keeps the errors of another precision, of a study of so many images."""

    @abstractmethod
    def tell(self, event: str, **about: object) -> None:
        """Says in the log what happened."""

    @abstractmethod
    def set_aside(self, number: int, report: Mapping[str, Any]) -> None:
        """Notes why a shard could not be computed."""

    @abstractmethod
    def errors(self) -> list[str]:
        """Errors of the shards that were set aside and are still missing."""


class Memory(Sink):
    """Keeps everything in this process.

    Args:
        count: how many images there are.
        size: of a shard.
        shown: positions of the pictures that the page shows.
    """

    lasts = False

    def __init__(self, count: int, size: int, shown: Sequence[int]) -> None:
        self.count, self.size = count, size
        self._shown = shown
        self._wholes: dict[int, Whole] = {}
        self._images: dict[int, Tensor] = {}
        self._channels = 0
        self._audit: Audit | None = None
        self._rounding: Rounding | None = None

    def whole(self) -> list[int]:
        """Numbers of the complete shards."""
        return sorted(self._wholes)

    def write(self, whole: Whole, images: Mapping[int, Tensor]) -> None:
        """Keeps a shard, and the images that the page shows."""
        self._wholes[whole.number] = whole
        self._images |= {position: images[position].cpu() for position in self._shown if position in images}
        self._channels = next(iter(images.values())).shape[0] if images else self._channels

    def read_all(self, protocol: Protocol) -> Iterator[Whole]:
        """All shards, in order."""
        return (self._wholes[number] for number in self.whole())

    def image_size(self) -> tuple[int, int]:
        """(H, W)."""
        height, width = next(iter(self._maps().values())).shape[1:]
        return height, width

    def heatmaps(self, positions: Sequence[int]) -> dict[str, Tensor]:
        """(n, H, W) at these positions, by method; all methods have explained them."""
        return {name: maps[list(positions)] for name, maps in self._maps().items()}

    def _maps(self) -> dict[str, Tensor]:
        first, *others = self._parts()
        if not others:
            return first.heatmaps
        parts = [first, *others]
        return {
            name: torch.cat([part.heatmaps[name] for part in parts if name in part.heatmaps]) for name in first.heatmaps
        }

    def _parts(self) -> list[Part]:
        return [whole.part for _, whole in sorted(self._wholes.items()) if whole.part]

    def shown(self, positions: Sequence[int]) -> Chosen:
        """The pictures that the page shows."""
        kept = [position for position in self._shown if position in self._images]
        empty = torch.empty(0, self._channels, 1, 1)
        images = torch.stack([self._images[position] for position in kept]) if kept else empty
        return Chosen(tuple(kept), images, {name: taken(maps, kept) for name, maps in self._maps().items()})

    def audit(self, protocol: Protocol, images: int) -> Audit | None:
        """The audit, if there is one by now."""
        return self._audit

    def keep_audit(self, audit: Audit, images: int) -> None:
        """Keeps the audit."""
        self._audit = audit

    def rounding(self, protocol: Protocol, images: int) -> Rounding | None:
        """The errors of another precision, if they were measured by now."""
        return self._rounding

    def keep_rounding(self, rounding: Rounding, images: int) -> None:
        """Keeps the errors of another precision."""
        self._rounding = rounding

    def tell(self, event: str, **about: object) -> None:
        """There is no log."""

    def set_aside(self, number: int, report: Mapping[str, Any]) -> None:
        """Nothing: no later command resumes a study in memory."""

    def errors(self) -> list[str]:
        """None: in memory an error ends the study."""
        return []
