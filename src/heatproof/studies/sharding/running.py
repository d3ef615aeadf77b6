"""A comparison in a run directory: begun, gone on with, and finished."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from heatproof import runs
from heatproof.data import Dataset
from heatproof.data.pictures import Pictures
from heatproof.defaults import SHOWN
from heatproof.errors import InputError
from heatproof.heatmaps.own import code_of
from heatproof.heatmaps.stored import MapFile
from heatproof.network import Network
from heatproof.perturbation import Protocol
from heatproof.report import counted
from heatproof.runs.destination import begin_anew
from heatproof.runs.log import RunLog
from heatproof.runs.objects import Store
from heatproof.runs.places import RECORD
from heatproof.runs.run_record import read_content
from heatproof.runs.schema import SCHEMA
from heatproof.runs.workers import Done, LocalWorkers, Make, Workers
from heatproof.studies.audit import check_audit
from heatproof.studies.comparison import Comparison
from heatproof.studies.further import check_measures
from heatproof.studies.racing import Rule, at_random
from heatproof.studies.sharding import sharded
from heatproof.studies.sharding.collecting import collected, notes_of, write_results
from heatproof.studies.sharding.record import STATISTICS, STUDY_FILE, check_same, stored_statistics
from heatproof.studies.sharding.sharded import (
    Assignment,
    Load,
    check_files,
    compute,
    first_pictures,
    fitted,
    measured_costs,
    try_one,
)
from heatproof.studies.shown import chosen_numbers
from heatproof.studies.watching import OnTotal, Progress


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a comparison, but for where it runs.

    Attributes:
        methods: of the heatmaps, by name; those of files too.
        protocol: how regions are removed and scored.
        lerf: whether least relevant regions are also removed first.
        measures: that evaluate the network further.
        rule: when to stop adding images, if not with the last one.
        audit: on how many images the ranking is audited.
        show: how many pictures the page shows, or which, by name.
        configuration: all of it, and network and data, as JSON-able values: a run goes on only with the same.
        study_file: the text of a file that asks for the same, kept in the run.
        files: of heatmaps, by the names of their methods; a run goes on only while they hold the same.
    """

    methods: tuple[str, ...]
    protocol: Protocol
    lerf: bool
    measures: tuple[str, ...]
    rule: Rule | None
    audit: int | None
    configuration: Mapping[str, Any]
    study_file: str = ""
    files: Mapping[str, MapFile] = field(default_factory=dict)
    show: int | str = SHOWN


def run_comparison(
    wanted: Wanted,
    load: Load,
    store: Store,
    *,
    workers: Callable[[Make], Workers] | None = None,
    share: tuple[int, int] = (1, 1),
    anew: bool = False,
    on_progress: OnTotal | None = None,
    reproduce: str = "",
) -> Comparison:
    """Begins a run, or resumes it, and finishes it.

    Args:
        wanted: what is to be compared, and how.
        load: the network and the data set; picklable, if workers are other processes.
        store: the run's.
        workers: who computes; by default this process.
        share: (i, n) for the i-th of n shares of the shards, from 1; all by default. ``merge`` joins such runs.
        anew: whether a run of another configuration in the store is deleted, and not refused.
        on_progress: called with the number of network evaluations done, and of those in all.
        reproduce: the command that made it.

    Raises:
        InputError: if another configuration was begun there, or nothing could be computed.
    """
    check_audit(wanted.audit)
    check_measures(wanted.measures)
    if wanted.rule and (workers or share != (1, 1)):
        raise InputError("until looks at all images so far after every 8: leave out --on ray and --share, or until")
    network, dataset = load()
    count = -(-len(dataset) // sharded.SIZE)
    if share[0] > count:
        raise InputError(
            f"share {share[0]}/{share[1]} is empty: {counted(len(dataset), 'image')} make {counted(count, 'shard')}"
        )
    store.sweep()
    assignment = _assigned(wanted, load if workers else lambda: (network, dataset), network, dataset, store, anew=anew)
    progress = Progress(_total(assignment, network, dataset) // share[1], on_progress)
    log, whole = RunLog(store), len(assignment.shards.whole())
    log.write("resume" if whole else "start", whole=whole, shards=len(assignment.shards))

    def advance(done: Done) -> None:
        if done.error is None:
            progress.add(done.value["evaluations"])

    failed = compute(assignment, workers or LocalWorkers, advance, share)
    study = collected(assignment, network, dataset, wanted.audit, progress)
    write_results(study, store, reproduce)
    log.write("finish", images=len(study.names), failed=len(failed), skipped=len(study.skipped))
    return study


def _assigned(
    wanted: Wanted, load: Load, network: Network, dataset: Dataset, store: Store, *, anew: bool
) -> Assignment:
    """What workers do: as it was begun, or begun now."""
    names = [member.name for member in dataset.members]
    order = at_random(names, seed=wanted.protocol.seed) if wanted.rule else range(len(names))
    assignment = Assignment(
        load=load,
        methods=wanted.methods,
        protocol=wanted.protocol,
        order=tuple(order),
        store=store,
        lerf=wanted.lerf,
        measures=wanted.measures,
        rule=wanted.rule,
        files={name: file.with_fingerprint() for name, file in wanted.files.items()},
    )
    now = {
        "configuration": dict(wanted.configuration),
        "network": network.describe(),
        "data": {"name": dataset.name, "members": len(dataset), "fingerprint": dataset.fingerprint},
        "shard_size": assignment.shards.size,
        "own": {name: file.fingerprint for name, file in assignment.files.items()} | code_of(wanted.methods),
    }
    record = _begun(store, now, anew=anew)
    statistics = stored_statistics(store) if record else None
    protocol = replace(wanted.protocol, statistics=statistics) if statistics else wanted.protocol
    assignment = replace(assignment, protocol=fitted(protocol, network, dataset))
    if record and assignment.shards.whole():
        return replace(assignment, costs=tuple(record["costs"]))
    pictures = first_pictures(network, dataset, order)
    if record is None:
        check_files(assignment, network, dataset, pictures)
        try_one(assignment, network, pictures)
        shape = pictures.images.shape[1:]
        record = {
            "schema": SCHEMA,
            "study": "compare",
            **now,
            "plan": assignment.describe(),
            "costs": list(measured_costs(assignment, network, pictures)),
            "notes": notes_of(network, (shape[0], shape[1], shape[2]), assignment),
            **runs.environment(),
        }
        store.put(RECORD, runs.json_bytes(record))  # first: a folder with it is a run, whatever is missing yet
    _prepare(assignment, wanted, [names[place] for place in order], pictures)
    return replace(assignment, costs=tuple(record["costs"]))


def _begun(store: Store, now: Mapping[str, Any], *, anew: bool) -> dict[str, Any] | None:
    """The record of the run that was begun there; one of another configuration or version is deleted or refused."""
    if not store.exists(RECORD):
        return None
    try:
        record = read_content(store)
        check_same(record, now, str(store))
    except InputError:
        if not anew:
            raise
        begin_anew(store)
        return None
    return record


def _prepare(assignment: Assignment, wanted: Wanted, names: Sequence[str], pictures: Pictures) -> None:
    """Writes what a run needs before its first shard, as far as it is not there yet."""
    store, shards = assignment.store, assignment.shards
    channels, height, width = pictures.images.shape[1:]
    shards.maps.make(
        wanted.methods,
        (len(names), height, width),
        at_once=shards.size,
        schema=SCHEMA,
        shown=chosen_numbers(wanted.show, names),
        channels=channels,
    )
    statistics = assignment.protocol.statistics if assignment.protocol.uses_statistics else None
    if statistics and not store.exists(STATISTICS):
        store.put(STATISTICS, statistics.to_bytes())
    if not store.exists(STUDY_FILE):
        store.put(STUDY_FILE, wanted.study_file.encode())


def _total(assignment: Assignment, network: Network, dataset: Dataset) -> int:
    """Evaluations of the shards that are to be computed."""
    shards = assignment.shards
    whole = set(shards.whole())
    left = sum(len(shards.positions(number)) for number in range(len(shards)) if number not in whole)
    pictures = first_pictures(network, dataset, assignment.order)
    one = assignment.task(network, replace(pictures, images=pictures.images[:1]))
    return left * one.evaluations
