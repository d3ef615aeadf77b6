"""The small records of a run: of shards that are whole or failed, of the audit, of the log and of the lock."""

from typing import Annotated, Literal

from pydantic import Field, Strict

from heatproof.runs.records import MOST_ENTRIES, Count, Digest, Prose, Seconds, StoredRecord, Text, Texts
from heatproof.runs.run_record import MOST_IN_A_SHARD, MOST_MEMBERS, Positive

Schema = Literal[2, 3]

Position = Annotated[int, Field(ge=0, lt=MOST_MEMBERS)]
Pair = Annotated[tuple[Text, Prose], Strict(False)]


class EngineRecord(StoredRecord):
    """Which engine evaluated perturbed images, and why."""

    name: Text
    nodes_on_windows: Count
    nodes: Count
    reason: Text


class PartRecord(StoredRecord):
    """What is the same for all rows of a shard's tables."""

    methods: Annotated[Texts, Field(min_length=1)]
    lerf: Texts
    reference: bool
    places: Annotated[dict[Text, Texts], Field(max_length=MOST_ENTRIES)]
    measures: Annotated[dict[Text, Texts], Field(max_length=MOST_ENTRIES)]
    engine: EngineRecord | None
    scores: Texts = ()


class ShardRecord(StoredRecord):
    """The marker of a shard that is whole."""

    schema_: Annotated[Schema, Field(alias="schema")]
    number: Count
    images: Annotated[int, Field(ge=0, le=MOST_IN_A_SHARD)]
    part: PartRecord | None = None
    positions: Annotated[tuple[Position, ...], Strict(False), Field(max_length=MOST_IN_A_SHARD)]
    skipped: Annotated[tuple[Pair, ...], Strict(False), Field(max_length=MOST_IN_A_SHARD)]
    objects: dict[Literal["", ".images", ".scores"], Digest]
    evaluations: Count
    heatmap_seconds: Seconds
    perturbation_seconds: Seconds
    seconds: Seconds
    worker: Text

    def wrong(self, number: int, places: range) -> str:
        """Why it is not the marker of the shard with this number, whose images have these places; empty if it is."""
        if self.number != number:
            return f"it is the marker of shard {self.number}"
        if self.images + len(self.skipped) > len(places):
            return f"a shard has at most {len(places):,} images, got {self.images + len(self.skipped):,}"
        different = set(self.positions)
        if not len(self.positions) == len(different) == self.images:
            return f"it has {self.images:,} images and {len(different):,} different positions"
        if not all(position in places for position in different):
            return f"it has images that are not those of shard {number}"
        tables = 2 + bool(self.part.scores) if self.part else 0
        if (self.part is None) != (not self.images) or len(self.objects) != tables:
            return f"it has {self.images:,} images and {len(self.objects)} tables"
        return ""


class FailureRecord(StoredRecord):
    """A shard that was set aside."""

    shard: Count
    error: Prose
    tries: Count
    worker: Text


class SettingRecord(StoredRecord):
    """A setting of an audit."""

    changed: Text
    to: Text
    replacement: Text
    regions: Text


class AuditRecord(StoredRecord):
    """The marker of an audit."""

    schema_: Annotated[Schema, Field(alias="schema")]
    images: Positive
    names: Annotated[Texts, Field(min_length=1)]
    score: Text
    settings: Annotated[tuple[SettingRecord, ...], Strict(False), Field(max_length=1_000)]
    to_the_end: Annotated[Texts, Field(min_length=1, max_length=1_000)]
    engine: EngineRecord
    evaluations: Count
    seconds: Seconds
    objects: Annotated[dict[Literal["audit/sequences.parquet"], Digest], Field(min_length=1)]


class EventRecord(StoredRecord):
    """A line of the log; what else it says is for people."""

    time: Text
    event: Text
    shard: Count | None = None


class LockRecord(StoredRecord):
    """Who holds a lock."""

    pid: Count
    host: Text
    since: Text
