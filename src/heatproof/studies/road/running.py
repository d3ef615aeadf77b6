"""A comparison in a run directory: begun, gone on with, and finished."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from heatproof import runs
from heatproof.data import Dataset
from heatproof.data.source import Files
from heatproof.defaults import SHOWN
from heatproof.errors import InputError
from heatproof.heatmaps.own import code_of
from heatproof.heatmaps.stored import MapFile
from heatproof.network import Network
from heatproof.perturbation import Protocol
from heatproof.report import counted
from heatproof.results.settlement import Rule
from heatproof.runs.destination import begin_anew
from heatproof.runs.log import RunLog
from heatproof.runs.objects import Store
from heatproof.runs.places import RECORD
from heatproof.runs.run_record import read_content
from heatproof.runs.schema import SCHEMA
from heatproof.runs.workers import Make, Workers
from heatproof.studies.audit import check_audit
from heatproof.studies.comparison import Comparison
from heatproof.studies.further import check_measures
from heatproof.studies.racing import at_random
from heatproof.studies.road import driver
from heatproof.studies.road.collecting import collected, notes_of
from heatproof.studies.road.driver import Assignment, Load, Method, compute
from heatproof.studies.road.preparing import (
    check_files,
    first_pictures,
    fitted,
    measured_costs,
    settled,
    try_one,
)
from heatproof.studies.road.record import STUDY_FILE, check_same, prepare, shards_of, stored_statistics
from heatproof.studies.shown import chosen_numbers
from heatproof.studies.watching import OnTotal, Progress


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a comparison, but for where it runs.

    Attributes:
        methods: of the heatmaps, by name: what computes them, or a file of them; a run goes on only while files hold
            the same.
        protocol: how regions are removed and scored.
        lerf: whether least relevant regions are also removed first.
        measures: that evaluate the network further.
        rule: when to stop adding images, if not with the last one.
        audit: on how many images the ranking is audited.
        show: how many pictures the page shows, or which, by name.
        configuration: all of it, and network and data, as JSON-able values: a run goes on only with the same.
        study_file: the text of a file that asks for the same, kept in the run.
        reference: whether the random order is wanted.
        scores: that are recorded beside the protocol's.
        removes: whether regions are removed; heatmaps alone are measured if not.
        study: what the run is called.
    """

    methods: Mapping[str, Method]
    protocol: Protocol
    lerf: bool
    measures: tuple[str, ...]
    rule: Rule | None
    audit: int | None
    configuration: Mapping[str, Any]
    study_file: str = ""
    show: int | str = SHOWN
    reference: bool = True
    scores: tuple[str, ...] = ()
    removes: bool = True
    study: str = "compare"


def run_comparison(
    wanted: Wanted,
    load: Callable[[], tuple[Network, Dataset]],
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
    if wanted.rule and (workers or share != (1, 1)):
        raise InputError("until looks at all images so far after every 8: leave out --on ray and --share, or until")
    store.sweep()
    study = computed(wanted, load, store, Progress(on_progress), workers=workers, share=share, anew=anew)
    study.write_results(store, reproduce)
    RunLog(store).write("finish", images=len(study.names), failed=len(study.set_aside), skipped=len(study.skipped))
    return study


def computed(
    wanted: Wanted,
    load: Callable[[], tuple[Network, Dataset]],
    store: Store,
    progress: Progress,
    *,
    workers: Callable[[Make], Workers] | None = None,
    share: tuple[int, int] = (1, 1),
    anew: bool = False,
) -> Comparison:
    """The comparison, once all its shards are whole; what follows from them is not written."""
    check_audit(wanted.audit)
    check_measures(wanted.measures)
    network, source = with_files(load)
    images = len(source.names)
    count = -(-images // driver.SIZE)
    if share[0] > count:
        raise InputError(
            f"share {share[0]}/{share[1]} is empty: {counted(images, 'image')} make {counted(count, 'shard')}"
        )
    opened = partial(with_files, load) if workers else lambda: (network, source)
    assignment = _assigned(wanted, opened, network, source, store, anew=anew)
    progress.begin(_total(assignment, network, source) // share[1])
    sink = assignment.sink
    whole = len(sink.whole())
    sink.tell("resume" if whole else "start", whole=whole, shards=len(sink))
    compute(assignment, workers, progress, share)
    return collected(assignment, network, source, wanted.audit, progress)


def with_files(load: Callable[[], tuple[Network, Dataset]]) -> tuple[Network, Files]:
    """The network, and the data set as the network wants its pictures."""
    network, dataset = load()
    return network, Files(dataset, network.preprocessing)


def _assigned(wanted: Wanted, load: Load, network: Network, source: Files, store: Store, *, anew: bool) -> Assignment:
    """What workers do: as it was begun, or begun now."""
    names = source.names
    shards = shards_of(store, len(names), wanted.rule)
    order = at_random(names, seed=wanted.protocol.seed) if wanted.rule else range(len(names))
    assignment = Assignment(
        load=load,
        methods={
            name: method.with_fingerprint() if isinstance(method, MapFile) else method
            for name, method in wanted.methods.items()
        },
        protocol=wanted.protocol,
        order=tuple(order),
        sink=shards,
        lerf=wanted.lerf,
        measures=wanted.measures,
        rule=wanted.rule,
        reference=wanted.reference,
        scores=wanted.scores,
        removes=wanted.removes,
    )
    now = {
        "configuration": dict(wanted.configuration),
        "network": network.describe(),
        "data": {"name": source.name, "members": len(names), "fingerprint": source.fingerprint},
        "shard_size": shards.size,
        "own": {name: file.fingerprint for name, file in assignment.files.items()} | code_of(list(wanted.methods)),
    }
    record = begun(store, now, anew=anew)
    statistics = stored_statistics(store) if record else None
    protocol = replace(wanted.protocol, statistics=statistics) if statistics else wanted.protocol
    protocol = replace(protocol, steps=record["plan"]["protocol"]["steps"]) if record else settled(protocol, source)
    assignment = replace(assignment, protocol=fitted(protocol, source))
    if record and shards.whole():
        return replace(assignment, costs=tuple(record["costs"]))
    pictures = first_pictures(source, order)
    if record is None:
        check_files(assignment, source, pictures)
        try_one(assignment, network, pictures)
        shape = pictures.images.shape[1:]
        record = {
            "schema": SCHEMA,
            "study": wanted.study,
            **now,
            "plan": assignment.describe(),
            "costs": list(measured_costs(assignment, network, pictures)),
            "notes": notes_of(network, (shape[0], shape[1], shape[2]), assignment),
            **runs.environment(),
        }
        store.put(RECORD, runs.json_bytes(record))  # first: a folder with it is a run, whatever is missing yet
    shown = chosen_numbers(wanted.show, [names[place] for place in order])
    prepare(shards, list(wanted.methods), assignment.protocol, shown, tuple(pictures.images.shape[1:]))
    if not store.exists(STUDY_FILE):
        store.put(STUDY_FILE, wanted.study_file.encode())
    return replace(assignment, costs=tuple(record["costs"]))


def begun(store: Store, now: Mapping[str, Any], *, anew: bool) -> dict[str, Any] | None:
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


def _total(assignment: Assignment, network: Network, source: Files) -> int:
    """Evaluations of the shards that are to be computed."""
    sink = assignment.sink
    whole = set(sink.whole())
    left = sum(len(sink.positions(number)) for number in range(len(sink)) if number not in whole)
    pictures = first_pictures(source, assignment.order)
    one = assignment.task(network, replace(pictures, images=pictures.images[:1]))
    return left * one.evaluations
