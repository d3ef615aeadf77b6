"""The shards of a comparison in a store. A shard is whole if and only if its marker is there, which is written last."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from heatproof.errors import InputError
from heatproof.guarded import check_size
from heatproof.perturbation import Protocol
from heatproof.runs.ledger import digest
from heatproof.runs.maps import MapArrays
from heatproof.runs.objects import LARGEST_MARKER, LARGEST_TABLE, Store
from heatproof.runs.results import from_parquet, parquet_bytes
from heatproof.runs.schema import SCHEMA
from heatproof.runs.shard_records import PartRecord, ShardRecord
from heatproof.studies.parts import Part
from heatproof.studies.sharding.stored import StoredPart, restored, stored

TableEnd = Literal["", ".images"]  # of its name
TABLES: tuple[TableEnd, ...] = ("", ".images")
NUMBERED = re.compile(r"shards/([0-9]{5}|[1-9][0-9]{5,7})\.json")
ABOUT = ("evaluations", "heatmap_seconds", "perturbation_seconds", "seconds", "worker")


@dataclass(frozen=True)
class Whole:
    """A shard that is whole.

    Attributes:
        number: of the shard.
        part: what its images gave, without heatmaps; none where no picture could be used, or none was needed any more.
        positions: (n) of its images in the run.
        skipped: names of pictures that could not be used, each with the reason.
        about: evaluations, seconds and worker (``ABOUT``).
    """

    number: int
    part: Part | None
    positions: tuple[int, ...]
    skipped: tuple[tuple[str, str], ...]
    about: Mapping[str, Any]


class Shards:
    """The shards of ``count`` images, so many in each.

    Args:
        store: where they lie.
        count: how many images there are.
        size: of a shard.
    """

    def __init__(self, store: Store, count: int, size: int) -> None:
        self.store, self.count, self.size = store, count, size

    def __len__(self) -> int:
        return -(-self.count // self.size)

    def positions(self, number: int) -> range:
        """Of a shard's images in the run."""
        return range(number * self.size, min((number + 1) * self.size, self.count))

    def whole(self) -> list[int]:
        """Numbers of the shards that are whole."""
        found = (NUMBERED.fullmatch(name) for name in self.store.names("shards/"))
        numbers = (int(match[1]) for match in found if match)
        return sorted({number for number in numbers if number < len(self)})

    def write(
        self,
        number: int,
        part: Part | None,
        positions: Sequence[int],
        skipped: Sequence[tuple[str, str]],
        about: Mapping[str, Any],
    ) -> None:
        """Writes a shard: heatmaps, tables, and the marker last."""
        marker: dict[str, Any] = {"schema": SCHEMA, "number": number, "images": len(positions)}
        objects: dict[str, str] = {}
        if part is not None:
            places = self.positions(number)
            maps = {name: found.float().cpu().numpy() for name, found in part.heatmaps.items()}
            self.maps.write(places, [position - places.start for position in positions], maps)
            tables = stored(part, positions)
            for name, frame in zip(TABLES, (tables.sequences, tables.images), strict=True):
                data = parquet_bytes(frame)
                check_size(f"a table of shard {number}", len(data), LARGEST_TABLE)  # more could not be read again
                self.store.put(f"{_stem(number)}{name}.parquet", data)
                objects[name] = digest(data)
            marker["part"] = tables.about.model_dump()
        marker |= {"positions": list(positions), "skipped": [list(one) for one in skipped], "objects": objects, **about}
        self.store.put(f"{_stem(number)}.json", json.dumps(marker, indent=1).encode())

    def copy(self, number: int, other: "Shards") -> None:
        """Copies a shard that is whole in a run of the same study: the marker last, here too."""
        places = self.positions(number)
        self.maps.write(places, range(len(places)), other.maps.read(places))
        self.maps.write_pictures({place: one for place, one in other.maps.pictures().items() if place in places})
        for suffix in other.marker(number).objects:
            name = f"{_stem(number)}{suffix}.parquet"
            self.store.put(name, other.store.get(name, at_most=LARGEST_TABLE))
        marker = f"{_stem(number)}.json"
        self.store.put(marker, other.store.get(marker, at_most=LARGEST_MARKER))

    def marker(self, number: int) -> ShardRecord:
        """The marker of a shard that is whole.

        Raises:
            InputError: if it is none, or that of another shard.
        """
        name = f"{_stem(number)}.json"
        marker = ShardRecord.read(self.store.get(name, at_most=LARGEST_MARKER), name)
        wrong = marker.wrong(number, self.positions(number))
        if wrong:
            raise InputError(f"{name}: {wrong}")
        return marker

    def read(self, number: int, protocol: Protocol) -> Whole:
        """A shard that is whole.

        Raises:
            InputError: if its files are not those that were written, or do not hold what they should.
        """
        marker = self.marker(number)
        part = None if marker.part is None else self._read_part(marker, marker.part, protocol)
        return Whole(number, part, marker.positions, marker.skipped, {key: getattr(marker, key) for key in ABOUT})

    def read_all(self, protocol: Protocol) -> Iterator[Whole]:
        """All shards that are whole, in order."""
        return (self.read(number, protocol) for number in self.whole())

    @property
    def maps(self) -> MapArrays:
        """Heatmaps of all images."""
        return MapArrays(self.store)

    def _read_part(self, marker: ShardRecord, about: PartRecord, protocol: Protocol) -> Part:
        most = len(marker.positions) * (1 + len(about.methods) + len(about.lerf)) * protocol.repeats
        sequences, images = (self._table(marker, suffix, most) for suffix in TABLES)
        try:
            return restored(StoredPart(sequences, images, about), marker.positions, protocol)
        except InputError as error:
            raise InputError(f"the tables of {_stem(marker.number)}.json: {error}") from error

    def _table(self, marker: ShardRecord, suffix: TableEnd, most_rows: int) -> pl.DataFrame:
        name = f"{_stem(marker.number)}{suffix}.parquet"
        data = self.store.get(name, at_most=LARGEST_TABLE)
        if digest(data) != marker.objects[suffix]:
            raise InputError(
                f"{name} is not the file that was written; delete {_stem(marker.number)}.json to do it again"
            )
        return from_parquet(data, name, most_rows)


def _stem(number: int) -> str:
    return f"shards/{number:05}"
