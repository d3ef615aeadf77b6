"""What a run was begun with, read back: without its network or its pictures."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from heatproof.data.source import Source
from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.options.changing import changing_read
from heatproof.options.planted import PlantedOptions
from heatproof.perturbation import Protocol
from heatproof.perturbation.statistics import Statistics
from heatproof.results.settlement import Rule
from heatproof.runs.objects import LARGEST_STATISTICS, RECORD, MissingError, Store
from heatproof.runs.run_record import RunRecord, read_any, read_run
from heatproof.runs.schema import SCHEMA
from heatproof.runs.study_file import Settings, differences, resolved
from heatproof.studies.racing import LOOK
from heatproof.studies.road import driver
from heatproof.studies.road.driver import Assignment
from heatproof.studies.road.shards import Shards
from heatproof.studies.wanted import Wanted
from heatproof.visible import visible

STATISTICS = "statistics.safetensors"
STUDY_FILE = "study.toml"
REGIONS = "regions.safetensors"
UNSAFE = "# the command of run.json is left out: it contains line breaks or invisible characters"


def read_assignment(store: Store) -> Assignment:
    """What was to be done in a run; its network and pictures are not there.

    Raises:
        InputError: if it is no record of a run that this version reads.
    """
    record = read_run(store)
    plan = record.plan
    statistics = stored_statistics(store)
    try:
        rule = Rule(**plan.rule.named()) if plan.rule else None
        protocol = Protocol(**plan.protocol.named() | _regions(store), statistics=statistics)
        methods = {name: name for name in plan.methods}
        planted = PlantedOptions(**plan.planted) if plan.planted else None  # type: ignore[arg-type]
        changing = changing_read(plan.changing) if plan.changing else None
        given = {"methods": methods, "protocol": protocol, "rule": rule, "planted": planted, "changing": changing}
        wanted = Wanted(**plan.named() | given)
        members = judged_members(record)
        return Assignment(wanted, load=_nothing, order=range(members), sink=shards_of(store, members, rule))
    except (TypeError, ValueError) as error:  # names that are unknown, numbers out of range
        raise InputError(f"{RECORD} of {store}: its plan is invalid: {error}") from error


def shards_of(store: Store, count: int, rule: Rule | None) -> Shards:
    """The shards of a run of so many images; a race looks at the images after each."""
    return Shards(store, count, size_of(rule))


def size_of(rule: Rule | None) -> int:
    """Images of a shard."""
    return LOOK if rule else driver.SIZE


def judged_members(record: RunRecord) -> int:
    """How many images are judged: those of a pilot are not."""
    pilot = len(record.choice.places) if record.choice else 0
    if pilot >= record.data.members:
        raise InputError(f"{RECORD}: expected a pilot of fewer than all {record.data.members} images, got {pilot}")
    return record.data.members - pilot


def read_shards(store: Store) -> Shards:
    """The shards of the run that lies in a store."""
    record = read_run(store)
    rule = record.plan.rule
    return shards_of(store, judged_members(record), Rule(**rule.named()) if rule else None)


def prepare(
    shards: Shards, methods: Sequence[str], protocol: Protocol, shown: Sequence[int], image: tuple[int, ...]
) -> None:
    """Writes what a run needs before its first shard, as far as it is not there yet.

    Args:
        shards: of the run.
        methods: names of the heatmaps.
        protocol: with the statistics that it needs.
        shown: positions of the pictures that the page shows.
        image: (C, H, W).
    """
    channels, height, width = image
    shape = shards.count, height, width
    shards.maps.make(methods, shape, at_once=shards.size, schema=SCHEMA, shown=shown, channels=channels)
    statistics = protocol.statistics if protocol.uses_statistics else None
    if statistics and not shards.store.exists(STATISTICS):
        shards.store.put(STATISTICS, statistics.to_bytes())


def keep_study_file(settings: Settings, store: Store) -> None:
    """Writes a study file that asks for the same, where one can and none is there yet."""
    if "study" in settings and not store.exists(STUDY_FILE):
        store.put(STUDY_FILE, resolved(settings).encode())


def check_same(begun: Mapping[str, Any], now: Mapping[str, Any], where: str) -> None:
    """Refuses to resume with another configuration, network or data set."""
    here = json.loads(json.dumps(now, default=str))
    different = differences(begun.get("configuration", {}), here["configuration"])
    for part in [part for part in ("network", "data", "shard_size") if part in here]:
        different += [
            f"{key}: {then!r} then, {is_!r} now"
            for key, then, is_ in _changed(part, begun.get(part, {}), here.get(part, {}))
        ]
    own = _changed("own", begun.get("own", {}), here.get("own", {}))
    different += [f"{name}: its file holds something else now" for name, then, is_ in own if then and is_]
    different += [f"{name}: its file is {'new' if is_ else 'gone'}" for name, then, is_ in own if not (then and is_)]
    if different:
        raise InputError(
            f"{where} holds a run of another configuration ({'; '.join(different)}); resume it with that one, choose "
            "another --out, or replace it with --overwrite"
        )


def _changed(name: str, then: Any, here: Any) -> list[tuple[str, Any, Any]]:  # noqa: ANN401 - JSON
    if isinstance(then, dict) and isinstance(here, dict):
        keys = [*here, *(key for key in then if key not in here)]
        return [found for key in keys for found in _changed(key, then.get(key), here.get(key))]
    return [] if then == here else [(name, then, here)]


def command_of_run(store: Store) -> str:
    """The command that made a run, to be copied; a comment where it has characters that a terminal would obey."""
    command = read_any(store).reproduce
    return command if visible(command, kept="") == command else UNSAFE


def _regions(store: Store) -> dict[str, Tensor]:
    """Region maps that were given, by the name that the protocol has for them; nothing where there are none."""
    try:
        data = store.get(REGIONS, at_most=LARGEST_STATISTICS)
    except MissingError:
        return {}
    try:
        (found,) = load(data).items()
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{REGIONS} of {store} is no map of regions: {error}") from error
    return dict([found])


def stored_statistics(store: Store) -> Statistics | None:
    """Statistics that replacements of the run were fitted with, if they were."""
    try:
        data = store.get(STATISTICS, at_most=LARGEST_STATISTICS)
    except MissingError:
        return None
    return Statistics.from_bytes(data, f"{STATISTICS} of {store}")


def _nothing() -> tuple[Network, Source]:
    raise InputError("a run that is only read has no network and no pictures")
