"""``run.json``: the record of a run in shards, and the records that other studies save."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Strict

from heatproof.errors import InputError
from heatproof.json_objects import json_object
from heatproof.runs.objects import LARGEST_RECORD, Store
from heatproof.runs.places import RECORD
from heatproof.runs.records import MOST, MOST_ENTRIES, Count, Object, Prose, Record, Sentences, Text, Texts
from heatproof.runs.schema import READABLE, migrated

MOST_MEMBERS = 100_000_000
MOST_IN_A_SHARD = 4_096
READABLES = " and ".join(map(str, READABLE))
SAVED = 1  # the schema of studies that are saved at once

Scalar = bool | int | float | Text | None
Values = Annotated[tuple[Scalar, ...], Strict(False), Field(max_length=MOST_ENTRIES)]
Whole = Annotated[int, Field(ge=-MOST, le=MOST)]
Positive = Annotated[int, Field(ge=1, le=MOST)]


def _texts(found: dict[Any, Any] | list[Any]) -> dict[Any, Any] | list[Any]:
    """Names of all images, and their identities if there are some: one error, however many there are."""
    if not all(isinstance(text, str) for text in (found if isinstance(found, list) else (*found, *found.values()))):
        raise ValueError("must hold texts only")
    return found


def _numbers(found: dict[Any, Any]) -> dict[Any, Any]:
    """Classes of all images by name."""
    if not all(isinstance(name, str) and type(number) is int and number >= 0 for name, number in found.items()):
        raise ValueError("must hold a class index for each name")
    return found


def _reasons(found: list[Any]) -> list[Any]:
    """Names of pictures that could not be used, each with the reason; they may be as many as images."""
    for one in found:
        if not isinstance(one, dict) or not all(isinstance(one.get(key), str) for key in ("image", "reason")):
            raise ValueError("must be a list of objects with an image and a reason")
    return found


Identities = Annotated[dict[Any, Any], AfterValidator(_texts)]
Names = Annotated[list[Any], AfterValidator(_texts)]
Reasons = Annotated[list[Any], AfterValidator(_reasons)]


class NetworkRecord(Record):
    """The network of a study."""

    name: Text
    source: Text | None = None
    weights_blake2b: Text
    preprocessing: Object
    notes: Sentences


class DataRecord(Record):
    """The data set of a run."""

    name: Text
    members: Annotated[int, Field(ge=1, le=MOST_MEMBERS)]
    fingerprint: Text


class RuleRecord(Record):
    """When to stop adding images."""

    until: Literal["signs", "ranked"]
    indifference: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None


class ProtocolRecord(Record):
    """How regions are removed and scored."""

    replacement: Text
    regions: Positive | Text
    steps: Positive | Text | None
    repeats: Positive
    seed: Whole
    score: Text
    engine: Text
    memory: Positive
    scored: Positive | None


class PlanRecord(Record):
    """What is done with each image."""

    methods: Annotated[Texts, Field(min_length=1)]
    protocol: ProtocolRecord
    lerf: bool
    measures: Texts
    rule: RuleRecord | None
    reference: bool = True
    scores: Texts = ()
    removes: bool = True


class CostsRecord(Record):
    """What the nodes of a network cost for images of one size, in seconds."""

    key: Annotated[tuple[Count, ...], Strict(False), Field(max_length=16)]
    windows: Annotated[dict[Text, float], Field(max_length=MOST_ENTRIES)]
    full: Annotated[dict[Text, float], Field(max_length=MOST_ENTRIES)]


class RunRecord(Record):
    """``run.json`` of a run in shards: what it was begun with, and once it is finished, what was found."""

    schema_: Annotated[int, Field(alias="schema")]
    study: Literal["compare", "complexity"]
    configuration: Annotated[dict[Text, Scalar | Values], Field(max_length=MOST_ENTRIES)]
    network: NetworkRecord
    data: DataRecord
    shard_size: Annotated[int, Field(ge=1, le=MOST_IN_A_SHARD)]
    own: Annotated[dict[Text, Text], Field(max_length=MOST_ENTRIES)] = {}
    plan: PlanRecord
    costs: Annotated[tuple[CostsRecord, ...], Strict(False), Field(max_length=1_000)]
    notes: Sentences
    versions: Object
    machine: Object
    images: Identities | Names | None = None
    skipped: Reasons = []
    complete: bool | None = None
    verdict: Sentences | None = None
    warnings: Sentences = ()
    audit: Object | None = None
    reproduce: Prose = ""


class CellsRecord(Record):
    """``run.json`` of a study that makes several comparisons, each a run of its own below ``cells/``."""

    schema_: Annotated[int, Field(alias="schema")]
    study: Literal["assess", "replacements"]
    configuration: Annotated[dict[Text, Scalar | Values], Field(max_length=MOST_ENTRIES)]
    cells: Annotated[Texts, Field(min_length=1)]
    method: Text
    topology: Text = ""
    labels: Annotated[dict[Any, Any], AfterValidator(_numbers)] | None = None
    versions: Object
    machine: Object
    images: Identities | None = None
    skipped: Reasons = []
    complete: bool | None = None
    verdict: Sentences | None = None
    warnings: Sentences = ()
    reproduce: Prose = ""


class SavedRecord(Record):
    """``run.json`` of a study that was saved at once."""

    study: Literal["compare", "assess", "replacements", "complexity"]
    images: Identities | Names
    skipped: Reasons
    complete: bool
    verdict: Sentences
    warnings: Sentences
    versions: Object
    machine: Object
    reproduce: Prose


def read_run(store: Store) -> RunRecord:
    """What a comparison was begun with, in the schema of now.

    Raises:
        InputError: if it is no record of such a run that this version reads.
    """
    return RunRecord.of(read_content(store), f"{RECORD} of {store}")


def read_content(store: Store) -> dict[str, Any]:
    """The same as it stands in the file, for whoever writes it again."""
    content = _content(store)
    name = f"{RECORD} of {store}"
    if content.get("schema") not in READABLE:
        schema = repr(content.get("schema"))[:20]
        raise InputError(f"{name} has schema {schema}; this version reads {READABLES}: compute it again")
    content = migrated(content)
    _kind(content).of(content, name)
    return content


def read_begun(store: Store) -> RunRecord | CellsRecord:
    """The record of a run of any study, as ``read_run`` and with its errors."""
    content = read_content(store)
    return _kind(content).of(content, f"{RECORD} of {store}")


def read_any(store: Store) -> RunRecord | CellsRecord | SavedRecord:
    """The same, also of what earlier versions saved at once."""
    content = _content(store)
    return SavedRecord.of(content, f"{RECORD} of {store}") if content.get("schema") == SAVED else read_begun(store)


def _kind(content: dict[str, Any]) -> type[RunRecord | CellsRecord]:
    return CellsRecord if content.get("study") in ("replacements", "assess") else RunRecord


def _content(store: Store) -> dict[str, Any]:
    if not store.exists(RECORD):
        raise InputError(f"{store} is no run: it has no {RECORD}; give the folder or URL of a run")
    return json_object(store.get(RECORD, at_most=LARGEST_RECORD), f"{RECORD} of {store}")
