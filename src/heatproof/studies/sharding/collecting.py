"""What whole shards make together: the comparison, its audit, and all that is derived."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from heatproof import runs
from heatproof.data import Dataset
from heatproof.data.pictures import read_shard
from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.runs.lock import UNLOCKED
from heatproof.runs.maps import MapArrays
from heatproof.runs.objects import LARGEST_FAILURE, Store
from heatproof.runs.places import RECORD
from heatproof.runs.run_record import read_content
from heatproof.runs.schema import SCHEMA
from heatproof.runs.shard_records import FailureRecord
from heatproof.studies.audit import audited, images_to_audit
from heatproof.studies.audited import Audit
from heatproof.studies.comparison import Comparison
from heatproof.studies.parts import Part
from heatproof.studies.racing import at_random
from heatproof.studies.sharding.sharded import Assignment, replayed
from heatproof.studies.sharding.shards import Whole
from heatproof.studies.sharding.stored_audit import store_audit, stored_audit
from heatproof.studies.shown import Chosen
from heatproof.studies.task import REFERENCE, notes_on
from heatproof.studies.watching import Progress
from heatproof.studies.work import Work


def gathered(assignment: Assignment, described: Mapping[str, Any], notes: Sequence[str] = ()) -> Comparison:
    """The comparison that the whole shards make, with the audit if it is stored; needs neither network nor pictures.

    Args:
        assignment: what was to be done.
        described: the network.
        notes: what a reader must know.

    Raises:
        InputError: if no shard holds anything.
    """
    study = _joined(assignment, list(assignment.shards.read_all(assignment.protocol)), described, notes)
    return replace(study, audit=stored_audit(assignment.store, assignment.protocol, len(study.names)))


def _joined(
    assignment: Assignment, wholes: Sequence[Whole], described: Mapping[str, Any], notes: Sequence[str] = ()
) -> Comparison:
    """What shards that were read make together."""
    parts = [whole.part for whole in wholes if whole.part]
    failed = _errors(assignment.store, {whole.number for whole in wholes})
    if not parts:
        raise InputError(f"nothing was computed: {next(iter(failed), 'no picture could be used')}")
    race, maps = replayed(assignment, wholes), assignment.shards.maps
    found = Part.joined(parts, emptied=True)  # two copies of a million images would be too much
    _, height, width = maps.shape()
    if any(int(curves.orders.max()) >= height * width for curves in (*found.curves.values(), *found.lerf.values())):
        raise InputError(f"the run has orders of more regions than its images have pixels, {height} x {width}")
    shown = _shown(maps, positions_of(wholes))
    return Comparison(
        network=described,
        shown=shown,
        found=replace(found, heatmaps=dict(shown.heatmaps)),
        protocol=assignment.protocol,
        audit=None,
        settlement=race.settlement if race else None,
        skipped=tuple(one for whole in wholes for one in whole.skipped),
        notes=tuple(notes),
        work=_work(wholes, found),
        set_aside=tuple(failed),
    )


def _shown(maps: MapArrays, positions: Sequence[int]) -> Chosen:
    """The pictures that were kept, with their heatmaps; positions are those of all images of the study."""
    pictures, number_of = maps.pictures(), {position: number for number, position in enumerate(positions)}
    kept = [position for position in pictures if position in number_of]
    images = torch.from_numpy(np.stack([pictures[position] for position in kept])) if kept else torch.empty(0, 3, 1, 1)
    heatmaps = {name: torch.from_numpy(values) for name, values in maps.read(kept).items()}
    return Chosen(tuple(number_of[position] for position in kept), images, heatmaps)


def collected(
    assignment: Assignment, network: Network, dataset: Dataset, audit: int | None, progress: Progress
) -> Comparison:
    """The comparison that the whole shards make, with its audit."""
    wholes = list(assignment.shards.read_all(assignment.protocol))
    study = _joined(assignment, wholes, network.describe())
    store, count = assignment.store, len(study.names)
    if stored_audit(store, assignment.protocol, count) is None:
        positions = positions_of(wholes)
        found = _audit(assignment, network, dataset, study.found, positions, audit, study.work.evaluations, progress)
        if found:
            store_audit(store, found, count)
    read_back = stored_audit(store, assignment.protocol, count)
    shape = (study.shown.images.shape[1], *assignment.shards.maps.shape()[1:])
    return replace(study, audit=read_back, notes=tuple(notes_of(network, shape, assignment)))


def notes_of(network: Network, shape: tuple[int, int, int], assignment: Assignment) -> list[str]:
    """What a reader of the run must know about the network, the replacement, and where the run lies."""
    without_graph = network.without_graph(shape)
    unlocked = [] if assignment.store.local_path(RECORD) else [UNLOCKED]
    return [*network.notes, *([without_graph] if without_graph else []), *notes_on(assignment.protocol), *unlocked]


def positions_of(wholes: Iterable[Whole]) -> list[int]:
    """Of all images that gave something, in the run."""
    return [position for whole in wholes if whole.part for position in whole.positions]


def _errors(store: Store, whole: Collection[int]) -> list[str]:
    """Errors of shards that were set aside and are not whole by now."""
    found = []
    for name in store.names("failed/"):
        report = FailureRecord.read(store.get(name, at_most=LARGEST_FAILURE), name)
        if report.shard not in whole:
            found.append(report.error)
    return found


def _work(wholes: Sequence[Whole], found: Part) -> Work:
    def total(key: str) -> float:
        return float(sum(whole.about[key] for whole in wholes))

    return Work(
        evaluations=int(total("evaluations")),
        heatmap_seconds=total("heatmap_seconds"),
        perturbation_seconds=total("perturbation_seconds"),
        seconds=total("seconds"),
        engine=found.curves[REFERENCE].engine,
    )


def _audit(
    assignment: Assignment,
    network: Network,
    dataset: Dataset,
    found: Part,
    positions: list[int],
    wanted: int | None,
    evaluations: int,
    progress: Progress,
) -> Audit | None:
    """Reads some images again, drawn at random of those that all methods explained, and audits them."""

    def place_of(number: int) -> int:
        return assignment.order[positions[number]]

    identities = min((curves.images for curves in found.curves.values()), key=len)
    drawn = at_random(identities, seed=assignment.protocol.seed)
    one = assignment.task(network, read_shard(dataset, [place_of(drawn[0])], network.preprocessing))
    chosen = drawn[: images_to_audit(one, wanted, evaluations)]
    if not chosen:
        return None
    pictures = read_shard(dataset, [place_of(number) for number in chosen], network.preprocessing)
    usable = [number for number in chosen if place_of(number) in pictures.numbers]  # one may be gone by now
    task = assignment.task(network, pictures)
    maps = assignment.shards.maps.read([positions[number] for number in usable])
    heatmaps = {name: torch.from_numpy(values) for name, values in maps.items()}
    statistics = replace(task.protocol, replacement="constant").fitted(pictures.images).statistics
    few = replace(task, protocol=replace(task.protocol, statistics=statistics))
    return audited(few, heatmaps, found.targets[usable], [found.names[number] for number in usable], progress)


def write_results(study: Comparison, store: Store, reproduce: str) -> None:
    """Writes everything that is derived from shards: tables, figures, the page, and the record."""
    for name, content in study.derived(reproduce=reproduce).items():
        store.put(name, content)
    begun = read_content(store)
    told = study.describe() | {"schema": SCHEMA, "notes": list(study.notes), "reproduce": reproduce}
    told["audit"] = told["audit"] or begun.get("audit")
    store.put(RECORD, runs.json_bytes(begun | told))
