"""What a run was begun with, read back: without its network or its pictures."""

import json
from collections.abc import Mapping
from typing import Any

from heatproof.data import Dataset
from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.perturbation import Protocol
from heatproof.perturbation.statistics import Statistics
from heatproof.runs.objects import LARGEST_STATISTICS, MissingError, Store
from heatproof.runs.places import RECORD
from heatproof.runs.schema import READABLE, migrated
from heatproof.runs.study_file import differences
from heatproof.studies.racing import Rule
from heatproof.studies.sharding.sharded import Assignment

MOST_MEMBERS = 100_000_000
STATISTICS = "statistics.safetensors"
STUDY_FILE = "study.toml"
_BROKEN = (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError)


def read_record(store: Store) -> dict[str, Any]:
    """What a run was begun with, in the schema of now.

    Raises:
        InputError: if it is no record of a run that this version reads.
    """
    data = store.get(RECORD)
    try:
        record = json.loads(data)
        schema, _ = record["schema"], record["study"]
    except _BROKEN as error:
        raise InputError(f"{RECORD} of {store} is no record of a run: {type(error).__name__}: {error}") from error
    shaped = isinstance(record.get("costs"), list) and isinstance(record.get("configuration"), dict)
    listed = " and ".join(map(str, READABLE))
    if schema not in READABLE or not shaped:
        raise InputError(f"{RECORD} of {store} has schema {schema}; this version reads {listed}: compute it again")
    found = migrated(record)
    if not isinstance(found.get("notes"), list):
        raise InputError(f"{RECORD} of {store} is no record of a run: its notes are no list")
    return found | {"notes": [str(note) for note in found["notes"]]}


def read_assignment(store: Store) -> Assignment:
    """What was to be done in a run; its network and pictures are not there.

    Raises:
        InputError: if it is no record of a run that this version reads.
    """
    record = read_record(store)
    try:
        plan = record["plan"]
        statistics = _statistics(store)
        return Assignment(
            load=_nothing,
            methods=tuple(plan["methods"]),
            protocol=Protocol(**plan["protocol"], statistics=statistics),
            order=tuple(range(_members(record))),
            store=store,
            lerf=bool(plan["lerf"]),
            measures=tuple(plan["measures"]),
            rule=Rule(**plan["rule"]) if plan["rule"] else None,
        )
    except _BROKEN as error:
        raise InputError(f"{RECORD} of {store} is no record of a run: {type(error).__name__}: {error}") from error


def _members(record: dict[str, Any]) -> int:
    count = int(record["data"]["members"])
    if not 0 < count <= MOST_MEMBERS:
        raise ValueError(f"expected 1 to {MOST_MEMBERS:,} images, got {count}")
    return count


def check_same(begun: Mapping[str, Any], now: Mapping[str, Any], where: str) -> None:
    """Refuses to go on with another configuration, network or data set."""
    here = json.loads(json.dumps(now, default=str))
    different = differences(begun.get("configuration", {}), here["configuration"])
    for part in ("network", "data", "shard_size"):
        different += [
            f"{key}: {then!r} then, {is_!r} now"
            for key, then, is_ in _changed(part, begun.get(part, {}), here.get(part, {}))
        ]
    own = _changed("own", begun.get("own", {}), here.get("own", {}))
    different += [f"{name}: its file holds something else now" for name, then, is_ in own if then and is_]
    different += [f"{name}: its file is {'new' if is_ else 'gone'}" for name, then, is_ in own if not (then and is_)]
    if different:
        raise InputError(
            f"{where} holds a run of another configuration ({'; '.join(different)}); go on with the same one, choose "
            "another --out, or replace it with --overwrite"
        )


def _changed(name: str, then: Any, here: Any) -> list[tuple[str, Any, Any]]:  # noqa: ANN401 - JSON
    if isinstance(then, dict) and isinstance(here, dict):
        keys = [*here, *(key for key in then if key not in here)]
        return [found for key in keys for found in _changed(key, then.get(key), here.get(key))]
    return [] if then == here else [(name, then, here)]


def _statistics(store: Store) -> Statistics | None:
    try:
        return stored_statistics(store)
    except MissingError:
        return None


def stored_statistics(store: Store) -> Statistics:
    """Those that replacements of the run were fitted with."""
    return Statistics.from_bytes(store.get(STATISTICS, at_most=LARGEST_STATISTICS), f"{STATISTICS} of {store}")


def _nothing() -> tuple[Network, Dataset]:
    raise InputError("a run that is only read has no network and no pictures")
