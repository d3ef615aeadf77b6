"""Orders and removed fractions of a run stay in its shards, and are read when they are asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from heatproof.errors import InputError
from heatproof.perturbation import Curves
from heatproof.perturbation.removal import Removal
from heatproof.results.part import Key, Part

KEPT = 9  # shards: those of a block of images, in a run whose shards are of 8


class ShardReader:
    """Removals of a shard by method and order; those of the shards that were read last are kept.

    Args:
        read: gives the part of a shard by its number; none if it has none any more.
    """

    def __init__(self, read: Callable[[int], Part | None]) -> None:
        self._read = read
        self._kept: dict[int, Mapping[Key, Removal]] = {}

    def __call__(self, number: int) -> Mapping[Key, Removal]:
        """Those of the shard with this number."""
        if number not in self._kept:
            part = self._read(number)
            if part is None:
                raise InputError(f"shard {number} of the run has no images any more")
            if len(self._kept) == KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[number] = {key: curves.removal for key, curves in part.walks().items()}
        return self._kept[number]


@dataclass(frozen=True)
class StoredRemoval:
    """Which regions are removed, in which order, of one method and order in the shards of a run.

    Attributes:
        reader: of the shards.
        key: method and order.
        rows: numbers of shards, each with the rows in it.
        steps: L.
        total: ``removed_sum``; none where only some of the images are left.
    """

    reader: ShardReader
    key: Key
    rows: tuple[tuple[int, range], ...]
    steps: int
    total: tuple[Tensor, int] | None

    @property
    def orders(self) -> Tensor:
        """(N, 1 or repeats, L) index of the region that each step removes, of all images."""
        return self._held().orders

    @property
    def removed_fraction(self) -> Tensor:
        """(N, 1 or repeats, L + 1) share of the image's pixels that is removed, of all images."""
        return self._held().removed_fraction

    @property
    def removed_sum(self) -> tuple[Tensor, int]:
        """(L + 1,) the removed share after each step, added up over images and repeats; and how many these are."""
        return self.total or self._held().removed_sum

    def of(self, some: slice) -> "StoredRemoval":
        """That of some of the images."""
        start, stop, _ = some.indices(sum(len(rows) for _, rows in self.rows))
        kept, before = [], 0
        for number, rows in self.rows:
            inside = rows[max(0, start - before) : max(0, stop - before)]
            before += len(rows)
            kept += [(number, inside)] if inside else []
        return replace(self, rows=tuple(kept), total=None)

    def joined(self, others: Sequence[Self]) -> "StoredRemoval":
        """This and those of further images as one."""
        every = [self, *others]
        if len({one.steps for one in every}) > 1:
            raise InputError(f"shards of a run must have the same number of steps, got {[one.steps for one in every]}")
        sums, counts = zip(*(one.removed_sum for one in every), strict=True)
        total = sum(sums[1:], sums[0]), sum(counts)
        return replace(self, rows=tuple(row for one in every for row in one.rows), total=total)

    def _held(self) -> Removal:
        first, *others = (self.reader(number)[self.key].of(slice(rows.start, rows.stop)) for number, rows in self.rows)
        return first.joined(others)


def left_in_shard(part: Part, number: int, reader: ShardReader) -> Part:
    """The part of a shard, which leaves orders and removed fractions where they are stored."""

    def change(key: Key, curves: Curves) -> Curves:
        rows = ((number, range(len(curves.images))),)
        removal = StoredRemoval(reader, key, rows, curves.steps, curves.removal.removed_sum)
        return replace(curves, removal=removal)

    return part.with_curves(change)
