"""Records of a run, as JSON of bounded size and one model for each kind: shards, failures, the audit, log and lock.

Records may come from strangers. What a model lets through has the types and bounds that it names; all else is refused
with one message. Readers import this module when they need it, since pydantic takes as long as all help together.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, Strict, StringConstraints, ValidationError

from heatproof.errors import InputError
from heatproof.json_objects import SHOWN, json_object, shown

MOST = 10**12  # of anything that is counted, and of seconds
MOST_MEMBERS = 100_000_000  # of a data set
MOST_IN_A_SHARD = 4_096
MOST_ENTRIES = 100_000  # of a list that does not name every image

Text = Annotated[str, StringConstraints(max_length=20_000)]
Prose = Annotated[str, StringConstraints(max_length=1_000_000)]  # about many methods; a command with its files
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
Positive = Annotated[int, Field(ge=1, le=MOST)]
Count = Annotated[int, Field(ge=0, le=MOST)]
Seconds = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Texts = Annotated[tuple[Text, ...], Strict(False), Field(max_length=MOST_ENTRIES)]  # JSON has lists, not tuples
Sentences = Annotated[tuple[Prose, ...], Strict(False), Field(max_length=MOST_ENTRIES)]
Schema = Literal[2, 3]
Position = Annotated[int, Field(ge=0, lt=MOST_MEMBERS)]
Pair = Annotated[tuple[Text, Prose], Strict(False)]
Object = Annotated[dict[Text, JsonValue], Field(max_length=MOST_ENTRIES)]


class StoredRecord(BaseModel):
    """What a file of a run says. Other fields than a model's are ignored, but must be JSON that is not too deep."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    @classmethod
    def of(cls, content: Mapping[str, Any], name: str) -> Self:
        """The record with this content.

        >>> class Small(StoredRecord):
        ...     size: Count
        >>> Small.of({"size": 3}, "small.json").size
        3
        >>> Small.of({"size": -1}, "small.json")
        Traceback (most recent call last):
        heatproof.errors.InputError: small.json: size must be greater than or equal to 0, got -1

        Raises:
            InputError: if it is not what the model says; the message begins with ``name``.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise InputError(f"{name}: {_message(error)}") from None

    @classmethod
    def read(cls, data: bytes, name: str) -> Self:
        """The record that these bytes hold; InputError as ``of``, and if they are no JSON."""
        return cls.of(json_object(data, name), name)

    def named(self) -> dict[str, Any]:
        """The fields that the model names, without what else the file says."""
        return {name: getattr(self, name) for name in type(self).model_fields}


def _message(error: ValidationError) -> str:
    """The first thing that is wrong, and how many more there are."""
    first, *others = error.errors(include_url=False)
    where = ".".join(str(part) for part in first["loc"][:8])[:SHOWN]
    more = f", and {len(others)} more" if others else ""
    if first["type"] == "missing":
        return f"{where} is missing{more}"
    expected = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be").replace("Input", "it")
    return f"{where} {expected}, got {shown(first['input'])}{more}".strip()


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
    keeps: Annotated[dict[Text, Texts], Field(max_length=MOST_ENTRIES)] = {}  # what absorbs relevance, by place


class ShardRecord(StoredRecord):
    """The marker of a complete shard."""

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


Pairs = Annotated[tuple[Annotated[tuple[Text, Text], Strict(False)], ...], Strict(False), Field(max_length=10_000)]


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
    asked: Pairs | None = None
    needed: Count | None = None
    symmetric: bool = False
    objects: Annotated[dict[Literal["audit/sequences.parquet"], Digest], Field(min_length=1)]


Number = Annotated[float, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]


class RoundingOfMethodRecord(StoredRecord):
    """What another precision changed of a method."""

    exact: Number
    rounded: Number
    half_width: Number | None


class RoundingRecord(StoredRecord):
    """What another precision than float32 changed."""

    schema_: Annotated[Schema, Field(alias="schema")]
    images: Positive
    precision: Text
    names: Annotated[Texts, Field(min_length=1)]
    scores: Positive
    spread: Number
    largest: Number
    mean: Number
    methods: Annotated[dict[Text, RoundingOfMethodRecord], Field(min_length=1, max_length=MOST_ENTRIES)]
    closest: Number | None
    seconds: Seconds


class EventRecord(StoredRecord):
    """A line of the log; what else it says is for people."""

    time: Text
    event: Text
    shard: Count | None = None


class LockRecord(StoredRecord):
    """Who holds a lock, as far as its file says it."""

    pid: Count | None = None
    host: Text | None = None
    since: Text | None = None

    def __str__(self) -> str:
        return f"process {self.pid or '?'} on {self.host or 'an unknown host'}, since {self.since or 'an unknown time'}"
