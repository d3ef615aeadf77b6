"""The shards of a comparison in a store. A shard is complete if and only if it has a marker, which is written last."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl
import torch
from torch import Tensor

from heatproof.defaults import FLOAT32
from heatproof.errors import InputError
from heatproof.guarded import check_size
from heatproof.perturbation import Protocol
from heatproof.results.audit import Audit
from heatproof.results.chosen import Chosen
from heatproof.results.part import Part
from heatproof.results.rounding import Rounding
from heatproof.runs.heatmap_arrays import MapArrays
from heatproof.runs.ledger import digest
from heatproof.runs.lock import UNLOCKED
from heatproof.runs.log import RunLog
from heatproof.runs.objects import LARGEST_FAILURE, LARGEST_MARKER, LARGEST_TABLE, RECORD, Store
from heatproof.runs.records import FailureRecord, PartRecord, ShardRecord
from heatproof.runs.schema import SCHEMA
from heatproof.runs.serialization import from_parquet, json_bytes, parquet_bytes
from heatproof.studies.road.sinks import Sink, Whole
from heatproof.studies.road.stored import StoredPart, restored, stored
from heatproof.studies.road.stored_audit import store_audit, stored_audit
from heatproof.studies.road.stored_removal import ShardReader, left_in_shard
from heatproof.studies.road.stored_rounding import store_rounding, stored_rounding

TableEnd = Literal["", ".images", ".scores"]  # of its name
TABLES: tuple[TableEnd, ...] = ("", ".images")
NUMBERED = re.compile(r"shards/([0-9]{5}|[1-9][0-9]{5,7})\.json")
ABOUT = ("evaluations", "heatmap_seconds", "perturbation_seconds", "seconds", "worker")


class Shards(Sink):
    """The shards of ``count`` images in a store, so many in each. Heatmaps lie in one place for all of them.

    Args:
        store: where they lie.
        count: how many images there are.
        size: of a shard.
    """

    def __init__(self, store: Store, count: int, size: int) -> None:
        self.store, self.count, self.size = store, count, size
        self.note = "" if store.local_path(RECORD) else UNLOCKED

    def whole(self) -> list[int]:
        """Numbers of the complete shards."""
        found = (NUMBERED.fullmatch(name) for name in self.store.names("shards/"))
        numbers = (int(match[1]) for match in found if match)
        return sorted({number for number in numbers if number < len(self)})

    def write(self, whole: Whole, images: Mapping[int, Tensor]) -> None:
        """Writes a shard: pictures to show, heatmaps, tables, and the marker last."""
        number, part, positions = whole.number, whole.part, whole.positions
        self.maps.write_pictures({position: image.float().cpu().numpy() for position, image in images.items()})
        marker: dict[str, Any] = {"schema": SCHEMA, "number": number, "images": len(positions)}
        objects: dict[str, str] = {}
        if part is not None:
            places = self.positions(number)
            maps = {name: found.float().cpu().numpy() for name, found in part.heatmaps.items()}
            self.maps.write(places, [position - places.start for position in positions], maps)
            tables = stored(part, positions)
            for name, frame in tables.tables().items():
                data = parquet_bytes(frame)
                check_size(f"a table of shard {number}", len(data), LARGEST_TABLE)  # more could not be read again
                self.store.put(f"{stem(number)}{name}.parquet", data)
                objects[name] = digest(data)
            marker["part"] = tables.about.model_dump()
        marker |= {"positions": list(positions), "skipped": [list(one) for one in whole.skipped], "objects": objects}
        marker |= whole.about
        self.store.put(f"{stem(number)}.json", json.dumps(marker, indent=1).encode())

    def marker(self, number: int) -> ShardRecord:
        """The marker of a complete shard.

        Raises:
            InputError: if it is none, or that of another shard.
        """
        name = f"{stem(number)}.json"
        marker = ShardRecord.read(self.store.get(name, at_most=LARGEST_MARKER), name)
        wrong = marker.wrong(number, self.positions(number))
        if wrong:
            raise InputError(f"{name}: {wrong}")
        return marker

    def read(self, number: int, protocol: Protocol) -> Whole:
        """A complete shard.

        Raises:
            InputError: if its files are not those that were written, or do not hold what they should.
        """
        marker = self.marker(number)
        part = None if marker.part is None else _read_part(self.store, marker, marker.part, protocol)
        return Whole(number, part, marker.positions, marker.skipped, {key: getattr(marker, key) for key in ABOUT})

    def _check_regions(self, part: Part) -> None:
        height, width = self._image_size
        if any(int(curves.orders.max()) >= height * width for curves in part.walks().values()):
            raise InputError(f"the run has orders of more regions than its images have pixels, {height} x {width}")

    @cached_property
    def _image_size(self) -> tuple[int, int]:
        return self.image_size()

    def read_all(self, protocol: Protocol) -> Iterator[Whole]:
        """All complete shards, in order; orders and removed fractions are read again when they are asked for."""
        reader = ShardReader(lambda number: self.read(number, protocol).part)
        for number in self.whole():
            whole = self.read(number, protocol)
            if whole.part:
                self._check_regions(whole.part)
            yield replace(whole, part=whole.part and left_in_shard(whole.part, number, reader))

    @property
    def maps(self) -> MapArrays:
        """Heatmaps of all images."""
        return MapArrays(self.store)

    def image_size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.maps.shape()[1:]

    def heatmaps(self, positions: Sequence[int]) -> dict[str, Tensor]:
        """(n, H, W) at these positions, by method; NaN where a method has not explained the image."""
        return {name: torch.from_numpy(maps) for name, maps in self.maps.read(positions).items()}

    def shown(self, positions: Sequence[int]) -> Chosen:
        """The pictures that were kept for the page, with their heatmaps."""
        pictures, number_of = self.maps.pictures(), {position: number for number, position in enumerate(positions)}
        kept = [position for position in pictures if position in number_of]
        empty = torch.empty(0, self.maps.channels(), 1, 1)
        images = torch.from_numpy(np.stack([pictures[position] for position in kept])) if kept else empty
        return Chosen(tuple(number_of[position] for position in kept), images, self.heatmaps(kept))

    def audit(self, protocol: Protocol, images: int) -> Audit | None:
        """The audit, if it was made of so many images."""
        return stored_audit(self.store, protocol, images)

    def keep_audit(self, audit: Audit, images: int) -> None:
        """Writes the audit of a study of so many images."""
        store_audit(self.store, audit, images)

    def rounding(self, protocol: Protocol, images: int) -> Rounding | None:
        """The errors of another precision, if they were measured with so many images."""
        return None if protocol.precision == FLOAT32 else stored_rounding(self.store, protocol.precision, images)

    def keep_rounding(self, rounding: Rounding, images: int) -> None:
        """Writes the errors of another precision, of a study of so many images."""
        store_rounding(self.store, rounding, images)

    def tell(self, event: str, **about: object) -> None:
        """Writes a line into the run's log."""
        RunLog(self.store).write(event, **about)

    def set_aside(self, number: int, report: Mapping[str, Any]) -> None:
        """Writes why a shard could not be computed."""
        self.store.put(f"failed/{number:05}.json", json_bytes(report))

    def errors(self) -> list[str]:
        """Errors of the shards that were set aside and are still missing."""
        names = self.store.names("failed/")
        reports = (FailureRecord.read(self.store.get(name, at_most=LARGEST_FAILURE), name) for name in names)
        whole = set(self.whole())
        return [report.error for report in reports if report.shard not in whole]


def _read_part(store: Store, marker: ShardRecord, about: PartRecord, protocol: Protocol) -> Part:
    most = len(marker.positions) * (1 + len(about.methods) + len(about.lerf)) * protocol.repeats
    sequences, images = (_table(store, marker, suffix, most) for suffix in TABLES)
    scores = _table(store, marker, ".scores", most * len(about.scores)) if about.scores else None
    try:
        return restored(StoredPart(sequences, images, about, scores), marker.positions, protocol)
    except InputError as error:
        raise InputError(f"the tables of {stem(marker.number)}.json: {error}") from error


def _table(store: Store, marker: ShardRecord, suffix: TableEnd, most_rows: int) -> pl.DataFrame:
    name = f"{stem(marker.number)}{suffix}.parquet"
    data = store.get(name, at_most=LARGEST_TABLE)
    if digest(data) != marker.objects[suffix]:
        raise InputError(
            f"{name} has changed since it was written; delete {stem(marker.number)}.json to compute it again"
        )
    return from_parquet(data, name, most_rows)


def stem(number: int) -> str:
    """How the names of a shard's objects begin."""
    return f"shards/{number:05}"
