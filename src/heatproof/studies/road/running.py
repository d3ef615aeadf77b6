"""A comparison in a run directory: begun, resumed, and finished."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from heatproof.data import Dataset
from heatproof.data.source import Files, Source
from heatproof.errors import InputError
from heatproof.heatmaps.naming import code_of
from heatproof.heatmaps.precomputed import MapFile
from heatproof.network import Network
from heatproof.options.perturbing import OnTotal
from heatproof.perturbation.fitting import for_network
from heatproof.report import counted
from heatproof.results.choice import Choice
from heatproof.runs.destination import begin_anew
from heatproof.runs.log import RunLog
from heatproof.runs.objects import PLANTED_RUN, RECORD, Store
from heatproof.runs.planted_record import Planted, keep_planted, stored_planted
from heatproof.runs.run_record import read_content
from heatproof.runs.serialization import begin_record
from heatproof.runs.study_file import Settings
from heatproof.runs.workers import Make, Workers
from heatproof.studies.comparison import Comparison
from heatproof.studies.pilot import followed, pilot_places, with_choice
from heatproof.studies.planted import planted_by
from heatproof.studies.planted_truth import PlantedTruth
from heatproof.studies.planting.settling import planted_in, with_planted
from heatproof.studies.racing import at_random
from heatproof.studies.road import driver
from heatproof.studies.road.collecting import collected, notes_of, told
from heatproof.studies.road.driver import Assignment, Load, compute
from heatproof.studies.road.piloting import chosen_protocol
from heatproof.studies.road.preparing import (
    check_files,
    first_pictures,
    fitted,
    measured_costs,
    settled,
    try_one,
)
from heatproof.studies.road.record import (
    check_same,
    keep_study_file,
    prepare,
    shards_of,
    size_of,
    stored_statistics,
)
from heatproof.studies.road.sinks import Memory
from heatproof.studies.shown import chosen_numbers
from heatproof.studies.study import Study
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress

Opened = Callable[[], tuple[Network, Dataset]]


@dataclass(frozen=True)
class Execution:
    """How a run is made; nothing of it changes a number.

    Attributes:
        workers: who computes; by default this process.
        share: (i, n) for the i-th of n shares of the shards, from 1; all by default. ``merge`` joins such runs.
        anew: whether a run of another configuration in the store is deleted, and not refused.
        on_progress: called with the number of network evaluations done, and of those in all.
        reproduce: the command that made it.
    """

    workers: Callable[[Make], Workers] | None = None
    share: tuple[int, int] = (1, 1)
    anew: bool = False
    on_progress: OnTotal | None = None
    reproduce: str = ""


PLAIN = Execution()
OF_A_COMPARISON = {"planted": True}  # what a run of planted truth is begun with, in that of a comparison


def run_comparison(
    wanted: Wanted, opened: Opened, store: Store, settings: Settings, execution: Execution = PLAIN
) -> Study:
    """Begins a run, or resumes it, and finishes it.

    Args:
        wanted: what is to be compared, and how.
        opened: gives the network and the data set; picklable, if workers are other processes.
        store: the run's.
        settings: all that was asked for, as a study file holds it: a run resumes only with the same.
        execution: how it is made.

    Raises:
        InputError: if another configuration was begun there, or nothing could be computed.
    """
    if wanted.rule and (execution.workers or execution.share != (1, 1)):
        raise InputError(
            "until compares all images so far after every 8, in one process: leave out --on ray and --share, or until"
        )
    if wanted.witness and execution.share != (1, 1):
        raise InputError("planted tests all methods in one run: leave out --share, or --planted")
    store.sweep()
    progress = Progress(execution.on_progress, 2 if wanted.witness else 1)
    if wanted.witness and not execution.workers:
        opened = cache(opened)  # it is asked three times
    begins = execution.anew or not store.exists(RECORD)
    planted = planted_by(wanted.witness, *with_files(opened)) if wanted.witness and begins else None
    found = computed(wanted, opened, store, settings, progress, execution)
    if wanted.witness:
        inside, whole = store.within(PLANTED_RUN), replace(execution, anew=False)
        own = Settings(OF_A_COMPARISON)
        truth = told(computed(wanted.witness, opened, inside, own, progress, whole, planted), inside)
        found = replace(found, truth=truth if isinstance(truth, PlantedTruth) else None)
    study = told(found, store)
    study.write_results(store, execution.reproduce)
    RunLog(store).write("finish", images=len(study.names), failed=len(study.set_aside), skipped=len(study.skipped))
    return study


def computed(
    wanted: Wanted,
    opened: Opened,
    store: Store,
    settings: Settings,
    progress: Progress,
    execution: Execution,
    planted: Planted | None = None,
) -> Comparison:
    """The comparison, once all its shards are whole; what follows from them is not written.

    What is planted is what the run was begun with, else ``planted``, if that is known.
    """
    workers, share = execution.workers, execution.share
    load: Load = partial(with_files, opened)
    network, source = load()
    if wanted.planted:
        begun_here = begun(store, {"configuration": dict(settings)}, anew=execution.anew)
        planted = (stored_planted(store) if begun_here else None) or planted or planted_by(wanted, network, source)
        load = partial(with_planted, load, planted)
        network, source = planted_in(network, source, planted)
    load = load if workers else lambda: (network, source)
    _check_share(share, len(source.names))
    assignment, choice = _assigned(
        wanted, load, (network, source), store, settings, progress, anew=execution.anew, planted=planted
    )
    _check_share(share, len(assignment.order))
    if planted:
        keep_planted(planted, store)
    progress.begin(_total(assignment, network, source) // share[1])
    sink = assignment.sink
    whole = len(sink.whole())
    sink.tell("resume" if whole else "start", whole=whole, shards=len(sink))
    compute(assignment, workers, progress, share)
    return replace(collected(assignment, network, source, progress), choice=choice)


def _check_share(share: tuple[int, int], images: int) -> None:
    count = -(-images // driver.SIZE)
    if share[0] > count:
        raise InputError(
            f"share {share[0]}/{share[1]} is empty: {counted(images, 'image')} make {counted(count, 'shard')}"
        )


def with_files(opened: Opened) -> tuple[Network, Files]:
    """The network, and the data set as the network wants its pictures."""
    network, dataset = opened()
    return network, Files(dataset, network.preprocessing)


def _assigned(
    wanted: Wanted,
    load: Load,
    here: tuple[Network, Source],
    store: Store,
    settings: Settings,
    progress: Progress,
    *,
    anew: bool,
    planted: Planted | None,
) -> tuple[Assignment, Choice | None]:
    """What workers do, as it was begun, or begun now; and how the protocol was chosen, if it was."""
    network, source = here
    names = source.names
    methods = {
        name: method.with_fingerprint() if isinstance(method, MapFile) else method
        for name, method in wanted.methods.items()
    }
    wanted = replace(wanted, methods=methods)
    now = {
        "configuration": dict(settings),
        "network": network.describe(),
        "data": {"name": source.name, "members": len(names), "fingerprint": source.fingerprint},
        "shard_size": size_of(wanted.rule),
        "own": {name: file.fingerprint for name, file in wanted.files.items()} | code_of(list(wanted.methods)),
    }
    record = begun(store, now, anew=anew)
    choice = _choice(replace(wanted, rule=None), load, here, record, progress)
    wanted = with_choice(wanted, choice) if choice else wanted
    order = [place for place in range(len(names)) if not choice or place not in choice.places]
    if wanted.rule:
        drawn = at_random([names[place] for place in order], seed=wanted.protocol.seed)
        order = [order[number] for number in drawn]
    shards = shards_of(store, len(order), wanted.rule)
    statistics = stored_statistics(store) if record else None
    protocol = replace(wanted.protocol, statistics=statistics) if statistics else wanted.protocol
    if protocol.drops:
        protocol = for_network(protocol, network, tuple(first_pictures(source, order).images.shape[1:]))
    protocol = replace(protocol, steps=record["plan"]["protocol"]["steps"]) if record else settled(protocol, source)
    scope = record["plan"].get("scope", False) if record else wanted.scope  # an earlier version may have begun it
    wanted = replace(wanted, protocol=fitted(protocol, source), scope=scope)
    assignment = Assignment(wanted, load, tuple(order), shards, members=len(names), planted=planted)
    if record and shards.whole():
        return replace(assignment, costs=tuple(record["costs"])), choice
    pictures = first_pictures(source, order)
    if record is None:
        check_files(assignment, source, pictures)
        try_one(assignment, network, pictures)
        shape = pictures.images.shape[1:]
        record = begin_record(  # first: a folder with it is a run, whatever is missing yet
            store,
            wanted.study,
            **now,
            plan=wanted.describe(),
            costs=list(measured_costs(assignment, network, pictures)),
            notes=notes_of(network, (shape[0], shape[1], shape[2]), assignment),
            **({"choice": choice.describe()} if choice else {}),
        )
    shown = chosen_numbers(wanted.show, [names[place] for place in order])
    prepare(shards, list(wanted.methods), wanted.protocol, shown, tuple(pictures.images.shape[1:]))
    keep_study_file(settings, store)
    return replace(assignment, costs=tuple(record["costs"])), choice


def _choice(
    wanted: Wanted, load: Load, here: tuple[Network, Source], record: Mapping[str, Any] | None, progress: Progress
) -> Choice | None:
    """The protocol that was chosen when the run was begun, or is chosen now; none where there is nothing to choose."""
    if record:
        return Choice.read(record["choice"]) if record.get("choice") else None
    network, source = here
    if pilot_places(wanted, source.names):
        shape = first_pictures(source, range(len(source.names))).images.shape[1:]
        wanted = followed(wanted, network, tuple(shape))
    places = pilot_places(wanted, source.names)
    if not places:
        return None
    nowhere = Memory(len(source.names), driver.SIZE, ())
    assignment = Assignment(wanted, load, range(len(source.names)), nowhere)
    progress.parts += len(wanted.candidates)
    return chosen_protocol(assignment, network, source, places, progress)


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


def _total(assignment: Assignment, network: Network, source: Source) -> int:
    """Evaluations of the shards that are to be computed."""
    sink = assignment.sink
    whole = set(sink.whole())
    left = sum(len(sink.positions(number)) for number in range(len(sink)) if number not in whole)
    pictures = first_pictures(source, assignment.order)
    one = assignment.task(network, replace(pictures, images=pictures.images[:1]))
    return left * one.evaluations
