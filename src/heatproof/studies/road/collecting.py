"""What whole shards make together: the comparison, its audit, and all that is derived."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from heatproof.data.source import Source
from heatproof.defaults import FLOAT32
from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.perturbation import Engine
from heatproof.report.studies.about import notes_on
from heatproof.results.choice import Choice
from heatproof.results.part import REFERENCE, Part
from heatproof.results.work import Work
from heatproof.runs.objects import PLANTED_RUN, RECORD, Store
from heatproof.runs.planted_record import PLANTED, stored_planted
from heatproof.runs.run_record import read_content
from heatproof.studies.comparison import Comparison
from heatproof.studies.complexity_study import Simplicity
from heatproof.studies.planted_truth import PlantedTruth
from heatproof.studies.randomisation_study import Randomisation
from heatproof.studies.road.again import Again
from heatproof.studies.road.driver import Assignment, race_of, take
from heatproof.studies.road.record import read_assignment
from heatproof.studies.road.sinks import Whole
from heatproof.studies.stability_study import Stability
from heatproof.studies.study import Study
from heatproof.studies.wanted import study_of
from heatproof.studies.watching import Progress

JOINED = 512  # images whose shards are joined first: many small arrays take more memory than few large ones

# Studies of heatmaps alone, by the name of their runs.
ALONE: Mapping[str, Callable[[Comparison], Study]] = {
    "complexity": Simplicity,
    "stability": Stability,
    "randomisation": Randomisation,
}


def gathered(assignment: Assignment, described: Mapping[str, Any], notes: Sequence[str] = ()) -> Comparison:
    """The comparison that the whole shards make, with the audit if it is kept; needs neither network nor pictures.

    Args:
        assignment: what was to be done.
        described: the network.
        notes: what a reader must know.

    Raises:
        InputError: if no shard holds anything.
    """
    study, _ = _joined(assignment, described, notes)
    sink, protocol, count = assignment.sink, assignment.protocol, len(study.names)
    return replace(study, audit=sink.audit(protocol, count), rounding=sink.rounding(protocol, count))


def gathered_from(store: Store) -> Comparison:
    """The comparison that lies in a store."""
    record = read_content(store)
    study = gathered(read_assignment(store), record["network"], record["notes"])
    choice = Choice.read(record["choice"]) if record.get("choice") else None
    return replace(study, choice=choice, truth=stored_truth(store))


def stored_truth(store: Store) -> PlantedTruth | None:
    """What was planted beside a comparison, and found, if that was asked."""
    inside = store.within(PLANTED_RUN)
    if not inside.exists(RECORD):
        return None
    found = told(gathered_from(inside), inside)
    return found if isinstance(found, PlantedTruth) else None


def told(found: Comparison, store: Store) -> Study:
    """The study that a comparison in a store is: itself, or of what was measured of heatmaps alone.

    Raises:
        InputError: if it lacks what was planted.
    """
    study = study_of(found.plan)
    if study != "planted":
        return found if study == "compare" else ALONE[study](found)
    planted = stored_planted(store)
    if planted is None:
        raise InputError(f"{store} has no {PLANTED}, which says what its heatmaps are to find: compute it again")
    known = {place.image for place in planted.explained}
    unknown = next((name for name in found.names if name not in known), None)
    if unknown is not None:
        raise InputError(f"{PLANTED} of {store} does not say where {unknown!r:.200} lies: compute it again")
    return PlantedTruth(found, planted)


def _joined(
    assignment: Assignment, described: Mapping[str, Any], notes: Sequence[str] = ()
) -> tuple[Comparison, list[int]]:
    """What the complete shards make together, and the positions in the study of the images that gave something."""
    sink = assignment.sink
    race = race_of(assignment)
    parts: list[Part] = []
    wholes: list[Whole] = []  # without their parts
    at_once = JOINED // sink.size if sink.lasts else len(sink)  # joining in two steps what is held would copy it twice
    for some in _some_at_a_time(sink.read_all(assignment.protocol), max(1, at_once)):
        here = [whole.part for whole in some if whole.part]
        for one in here:
            if race:
                take(race, one, symmetric=assignment.wanted.symmetric)
        if here:
            parts.append(Part.joined(here, emptied=True))
        wholes += [replace(whole, part=None, positions=whole.positions if whole.part else ()) for whole in some]
    failed = sink.errors()
    if not parts:
        skipped = (f"{name!r}: {reason}" for whole in wholes for name, reason in whole.skipped)
        raise InputError(f"nothing was computed: {next(iter([*failed, *skipped]), 'no picture could be used')}")
    positions = [position for whole in wholes for position in whole.positions]
    shown = sink.shown(positions)
    found = Part.joined(parts, emptied=True) if len(parts) > 1 else parts[0]
    study = Comparison(
        network=described,
        shown=shown,
        found=found if found.heatmaps else replace(found, heatmaps=dict(shown.heatmaps)),
        protocol=assignment.protocol,
        plan=assignment.wanted.describe(),
        audit=None,
        settlement=race.settlement if race else None,
        skipped=tuple(one for whole in wholes for one in whole.skipped),
        notes=tuple(notes),
        work=_work(wholes, found),
        set_aside=tuple(failed),
    )
    return study, positions


def _some_at_a_time(wholes: Iterator[Whole], count: int) -> Iterator[list[Whole]]:
    """Shards in their order, so many at a time."""
    while some := list(islice(wholes, count)):
        yield some


def collected(assignment: Assignment, network: Network, source: Source, progress: Progress) -> Comparison:
    """The comparison that the whole shards make, with its audit."""
    sink = assignment.sink
    study, positions = _joined(assignment, network.describe())
    count, again = len(study.names), Again(assignment, network, source, study, positions, progress)
    if assignment.wanted.audit != 0 and sink.audit(assignment.protocol, count) is None:
        found = again.audit()
        if found:
            sink.keep_audit(found, count)
    rounds = assignment.protocol.precision != FLOAT32 and study.found.curves
    if rounds and not sink.rounding(assignment.protocol, count):
        sink.keep_rounding(again.rounding(), count)
    shape = (study.shown.images.shape[1], *sink.image_size())
    notes = tuple(notes_of(network, shape, assignment))
    audit, rounding = sink.audit(assignment.protocol, count), sink.rounding(assignment.protocol, count)
    return replace(study, audit=audit, rounding=rounding, notes=notes)


def notes_of(network: Network, shape: tuple[int, int, int], assignment: Assignment) -> list[str]:
    """What a reader must know about the network, the replacement, and where the study lies."""
    without_graph = network.without_graph(shape)
    here = [without_graph] if without_graph else []
    return [*network.notes, *here, *notes_on(assignment.protocol), *filter(None, [assignment.sink.note])]


def _work(wholes: Sequence[Whole], found: Part) -> Work:
    def total(key: str) -> float:
        return float(sum(whole.about[key] for whole in wholes))

    return Work(
        evaluations=int(total("evaluations")),
        heatmap_seconds=total("heatmap_seconds"),
        perturbation_seconds=total("perturbation_seconds"),
        seconds=total("seconds"),
        engine=_engine(found),
    )


def _engine(found: Part) -> Engine:
    """The engine of the random order, or of the method where it saved most."""
    if REFERENCE in found.curves:
        return found.curves[REFERENCE].engine
    engines = [curves.engine for curves in found.curves.values()]
    none = Engine("none", 0, 0, "nothing was removed")
    return max(engines, key=lambda engine: engine.nodes_on_windows, default=none)
