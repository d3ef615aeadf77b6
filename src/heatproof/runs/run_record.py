"""``run.json``: the record of a run in shards, and the records that other studies save."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import AfterValidator, Field, Strict, create_model

from heatproof.bounds import Bounds
from heatproof.errors import InputError
from heatproof.json_objects import json_object
from heatproof.options.option import Declared, Option, declared
from heatproof.options.perturbing import Perturbing
from heatproof.runs.objects import LARGEST_RECORD, RECORD, Store
from heatproof.runs.records import (
    MOST,
    MOST_ENTRIES,
    MOST_IN_A_SHARD,
    MOST_MEMBERS,
    Count,
    Object,
    Prose,
    Sentences,
    StoredRecord,
    Text,
    Texts,
)
from heatproof.runs.schema import READABLE, migrated

SAVED = 1  # the schema of studies that are saved at once

Scalar = bool | int | float | Text | None
Values = Annotated[tuple[Scalar, ...], Strict(False), Field(max_length=MOST_ENTRIES)]
Whole = Annotated[int, Field(ge=-MOST, le=MOST)]


def _each(fits: Callable[[Any], bool], expected: str) -> AfterValidator:
    """Refuses a list or a dict (whose keys JSON makes texts) with a value that does not fit, by one error."""

    def checked(found: dict[Any, Any] | list[Any]) -> dict[Any, Any] | list[Any]:
        if not all(map(fits, found.values() if isinstance(found, dict) else found)):
            raise ValueError(expected)
        return found

    return AfterValidator(checked)


def _is_text(one: object) -> bool:
    return isinstance(one, str)


def _is_class(one: object) -> bool:
    return type(one) is int and one >= 0


def _is_reason(one: object) -> bool:
    return isinstance(one, dict) and _is_text(one.get("image")) and _is_text(one.get("reason"))


Identities = Annotated[dict[Any, Any], _each(_is_text, "must hold texts only")]  # of all images by name
Names = Annotated[list[Any], _each(_is_text, "must hold texts only")]
Labels = Annotated[dict[Any, Any], _each(_is_class, "must hold a class index for each name")]
Reasons = Annotated[list[Any], _each(_is_reason, "must be a list of objects with an image and a reason")]


class NetworkRecord(StoredRecord):
    """The network of a study."""

    name: Text
    source: Text | None = None
    weights_blake2b: Text
    preprocessing: Object
    notes: Sentences


class DataRecord(StoredRecord):
    """The data set of a run."""

    name: Text
    members: Annotated[int, Field(ge=1, le=MOST_MEMBERS)]
    fingerprint: Text


class RuleRecord(StoredRecord):
    """When to stop adding images."""

    until: Literal["signs", "ranked"]
    indifference: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None


# Options that every record has. One that is added later is missing in earlier runs, which did what its default does.
FIRST = {"replacement", "regions", "steps", "repeats", "seed", "score", "engine", "memory", "scored"}


def _stored(one: Declared) -> Any:  # noqa: ANN401 - a type
    """The type of an option in a record; what Python takes beside numbers and texts lies in files of its own."""
    bounds = one.option.bounds if isinstance(one.option, Option) and one.option.bounds else Bounds(1, MOST)
    within = Field(ge=bounds.low, le=min(bounds.high, MOST))
    kinds = {"int": Annotated[int, within], "float": Annotated[float, within], "bool": bool, "str": Text, "None": None}
    text = str(getattr(one.hint, "__forward_arg__", "") or getattr(one.hint, "__name__", one.hint))
    return Union[tuple(kinds[name] for name in re.findall(r"\w+", text) if name in kinds)]  # noqa: UP007


if TYPE_CHECKING:
    ProtocolRecord = StoredRecord
else:
    ProtocolRecord = create_model(
        "ProtocolRecord",
        __base__=StoredRecord,
        **{
            one.field: (_stored(one), ... if one.field in FIRST else one.default)
            for one in declared(Perturbing)
            if one.field != "statistics"
        },
    )


class PlanRecord(StoredRecord):
    """What is done with each image."""

    methods: Annotated[Texts, Field(min_length=1)]
    protocol: ProtocolRecord
    lerf: bool
    symmetric: bool = False
    measures: Texts
    rule: RuleRecord | None
    reference: bool = True
    scores: Texts = ()
    scope: bool = False
    removes: bool = True
    tuned: Annotated[dict[Text, Texts], Field(max_length=MOST_ENTRIES)] = {}
    planted: Object | None = None
    changing: Object | None = None


class CandidateRecord(StoredRecord):
    """How a protocol did on a pilot."""

    name: Text
    regions: Text | Count
    replacement: Text
    removed: float
    separation: float | None
    halves: float | None
    taken: float | None
    evaluations: Count
    scattered: Texts
    detected: Texts
    score: Text = ""
    r_oms: float | None = None


class ChoiceRecord(StoredRecord):
    """How the protocol of a run was chosen on a pilot."""

    chosen: Text
    candidates: Annotated[tuple[CandidateRecord, ...], Strict(False), Field(max_length=1_000)]
    images: Texts
    places: Annotated[tuple[Count, ...], Strict(False), Field(max_length=1_000)]
    fallback: Text


class CostsRecord(StoredRecord):
    """What the nodes of a network cost for images of one size, in seconds."""

    key: Annotated[tuple[Count, ...], Strict(False), Field(max_length=16)]
    windows: Annotated[dict[Text, float], Field(max_length=MOST_ENTRIES)]
    full: Annotated[dict[Text, float], Field(max_length=MOST_ENTRIES)]


class StudyRecord(StoredRecord):
    """What ``run.json`` says of each study that is begun in a store, and once it is finished, of what was found."""

    schema_: Annotated[int, Field(alias="schema")]
    study: Text
    configuration: Annotated[dict[Text, Scalar | Values], Field(max_length=MOST_ENTRIES)]
    images: Identities | Names | None = None
    skipped: Reasons = []
    complete: bool | None = None
    verdict: Sentences | None = None
    warnings: Sentences = ()
    reproduce: Prose = ""


class RunRecord(StudyRecord):
    """``run.json`` of a run in shards."""

    study: Literal["compare", "complexity", "planted", "stability", "randomisation"]
    network: NetworkRecord
    data: DataRecord
    shard_size: Annotated[int, Field(ge=1, le=MOST_IN_A_SHARD)]
    own: Annotated[dict[Text, Text], Field(max_length=MOST_ENTRIES)] = {}
    plan: PlanRecord
    costs: Annotated[tuple[CostsRecord, ...], Strict(False), Field(max_length=1_000)]
    notes: Sentences
    versions: Object
    machine: Object
    audit: Object | None = None
    rounding: Object | None = None
    choice: ChoiceRecord | None = None


class CellsRecord(StudyRecord):
    """``run.json`` of a study that makes several comparisons, each a run of its own below ``cells/``."""

    study: Literal["assess", "replacements", "protocol", "survey"]
    cells: Annotated[Texts, Field(min_length=1)]
    failed: Annotated[dict[Text, Prose], Field(max_length=MOST_ENTRIES)] = {}
    groups: Annotated[dict[Text, Identities], Field(max_length=MOST_ENTRIES)] = {}
    method: Text = ""
    topology: Text = ""
    labels: Labels | None = None
    versions: Object
    machine: Object
    images: Identities | None = None


class SavedRecord(StoredRecord):
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
    """What a comparison was begun with, in the schema of now; InputError if it is no record that this version reads."""
    return RunRecord.of(read_content(store), f"{RECORD} of {store}")


def read_begun(store: Store) -> RunRecord | CellsRecord:
    """The record of a run of any study, as ``read_run`` and with its errors."""
    return _record(read_content(store), store)


def read_any(store: Store) -> RunRecord | CellsRecord | SavedRecord:
    """Reads a record, also of studies that earlier versions saved at once."""
    content = _content(store)
    return SavedRecord.of(content, f"{RECORD} of {store}") if content.get("schema") == SAVED else read_begun(store)


def read_content(store: Store) -> dict[str, Any]:
    """Reads a record as it stands in the file, to be written again."""
    content = _content(store)
    if content.get("schema") not in READABLE:
        schema, readable = repr(content.get("schema"))[:20], " and ".join(map(str, READABLE))
        raise InputError(f"{RECORD} of {store} has schema {schema}; this version reads {readable}: compute it again")
    content = migrated(content)
    _record(content, store)
    return content


def _record(content: dict[str, Any], store: Store) -> RunRecord | CellsRecord:
    kind = CellsRecord if content.get("study") in ("replacements", "assess", "protocol", "survey") else RunRecord
    return kind.of(content, f"{RECORD} of {store}")


def _content(store: Store) -> dict[str, Any]:
    if not store.exists(RECORD):
        raise InputError(f"{store} is not a run: it has no {RECORD}; give the folder or URL of a run")
    return json_object(store.get(RECORD, at_most=LARGEST_RECORD), f"{RECORD} of {store}")
