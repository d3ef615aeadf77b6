"""The shards of a comparison in a store. A shard is whole if and only if its marker is there, which is written last."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from heatproof.errors import InputError
from heatproof.perturbation import Protocol
from heatproof.runs.ledger import digest
from heatproof.runs.maps import MapArrays
from heatproof.runs.objects import LARGEST_TABLE, Store
from heatproof.runs.results import from_parquet, parquet_bytes
from heatproof.runs.schema import READABLE, SCHEMA
from heatproof.studies.parts import Part
from heatproof.studies.sharding.stored import StoredPart, restored, stored

TABLES = ("", ".images")  # ends of their names
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
        markers = {f"{_stem(number)}.json": number for number in range(len(self))}
        return sorted(markers[name] for name in self.store.names("shards/") if name in markers)

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
                self.store.put(f"{_stem(number)}{name}.parquet", data)
                objects[name] = digest(data)
            marker["part"] = tables.about
        marker |= {"positions": list(positions), "skipped": [list(one) for one in skipped], "objects": objects, **about}
        self.store.put(f"{_stem(number)}.json", json.dumps(marker, indent=1).encode())

    def copy(self, number: int, other: "Shards") -> None:
        """Copies a shard that is whole in a run of the same study: the marker last, here too."""
        places = self.positions(number)
        self.maps.write(places, range(len(places)), other.maps.read(places))
        self.maps.write_pictures({place: one for place, one in other.maps.pictures().items() if place in places})
        for suffix in other.objects(number):
            name = f"{_stem(number)}{suffix}.parquet"
            self.store.put(name, other.store.get(name, at_most=LARGEST_TABLE))
        self.store.put(f"{_stem(number)}.json", other.store.get(f"{_stem(number)}.json"))

    def objects(self, number: int) -> dict[str, str]:
        """Hashes of the tables of a shard that is whole, by the end of their names.

        Raises:
            InputError: if its marker is none.
        """
        name = f"{_stem(number)}.json"
        try:
            found: dict[str, str] = dict(json.loads(self.store.get(name))["objects"])
            if not set(found) <= set(TABLES):
                raise ValueError(f"expected tables {TABLES}, got {list(found)}")
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise InputError(f"{name} is no marker of a shard: {type(error).__name__}: {error}") from error
        return found

    def read(self, number: int, protocol: Protocol) -> Whole:
        """A shard that is whole.

        Raises:
            InputError: if its files are not those that were written, or do not hold what they should.
        """
        name = f"{_stem(number)}.json"
        try:
            marker = json.loads(self.store.get(name))
            if marker["schema"] not in READABLE:
                raise InputError(f"{name} has schema {marker['schema']}, this version reads {READABLE}")
            skipped = tuple((str(what), str(why)) for what, why in marker["skipped"])
            positions = tuple(map(int, marker["positions"]))
            objects = dict(marker["objects"])
            about = {key: marker[key] for key in ABOUT}
            described = marker.get("part")
            if not set(positions) <= set(self.positions(number)) or len(set(positions)) < len(positions):
                raise ValueError(f"it has no images {positions}")
            if not all(0 <= about[key] < math.inf for key in ABOUT if key != "worker"):
                raise ValueError(f"expected numbers from 0 on, got {about}")
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise InputError(f"{name} is no marker of a shard: {type(error).__name__}: {error}") from error
        part = None if described is None else self._read_part(number, objects, described, protocol)
        if part is not None and len(part.names) != len(positions):
            raise InputError(f"{name} has {len(positions)} images, its tables have {len(part.names)}")
        return Whole(number, part, positions, skipped, about)

    def read_all(self, protocol: Protocol) -> Iterator[Whole]:
        """All shards that are whole, in order."""
        return (self.read(number, protocol) for number in self.whole())

    @property
    def maps(self) -> MapArrays:
        """Heatmaps of all images."""
        return MapArrays(self.store)

    def _read_part(
        self, number: int, objects: Mapping[str, str], described: dict[str, Any], protocol: Protocol
    ) -> Part:
        sequences, images = (self._table(number, suffix, objects) for suffix in TABLES)
        return restored(StoredPart(sequences, images, described), protocol)

    def _table(self, number: int, suffix: str, objects: Mapping[str, str]) -> pl.DataFrame:
        name = f"{_stem(number)}{suffix}.parquet"
        data = self.store.get(name, at_most=LARGEST_TABLE)
        if digest(data) != objects.get(suffix):
            raise InputError(f"{name} is not the file that was written; delete {_stem(number)}.json to do it again")
        return from_parquet(data, name)


def _stem(number: int) -> str:
    return f"shards/{number:05}"
