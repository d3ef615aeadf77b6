"""What whole shards make together: the comparison, its audit, and all that is derived."""

import json
from collections.abc import Mapping
from dataclasses import replace

import torch

from heatproof import runs
from heatproof.data import Dataset
from heatproof.data.pictures import read_shard
from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.runs.objects import Store
from heatproof.studies.audit import audited, images_to_audit
from heatproof.studies.audited import Audit
from heatproof.studies.comparison import Comparison
from heatproof.studies.parts import Part
from heatproof.studies.racing import at_random
from heatproof.studies.sharded import Assignment, replayed
from heatproof.studies.shards import SCHEMA, Whole
from heatproof.studies.task import REFERENCE, notes_on
from heatproof.studies.watching import Progress
from heatproof.studies.work import Work

RECORD = "run.json"


def collected(
    assignment: Assignment,
    network: Network,
    dataset: Dataset,
    audit: int | None,
    progress: Progress,
    failed: Mapping[int, str],
) -> Comparison:
    """The comparison that the whole shards make."""
    wholes = list(assignment.shards.read_all(assignment.protocol))
    parts = [whole.part for whole in wholes if whole.part]
    if not parts:
        reason = next(iter(failed.values()), "no picture could be used")
        raise InputError(f"nothing was computed: {reason}")
    found, maps = Part.joined(parts), assignment.shards.maps
    positions = [position for whole in wholes if whole.part for position in whole.positions]
    pictures = torch.from_numpy(maps.pictures()).float() / 255 if wholes[0].part else torch.empty(0, 3, 1, 1)
    shown = {name: torch.from_numpy(values) for name, values in maps.read(positions[: len(pictures)]).items()}
    shape = tuple(pictures.shape[1:])
    without_graph = network.without_graph(shape) if len(pictures) else None
    race, work = replayed(assignment), _work(wholes, found)
    return Comparison(
        network=network.describe(),
        images=pictures,
        found=replace(found, heatmaps=shown),
        protocol=assignment.protocol,
        audit=_audit(assignment, network, dataset, found, positions, audit, work.evaluations, progress),
        settlement=race.settlement if race else None,
        skipped=tuple(one for whole in wholes for one in whole.skipped),
        notes=(
            *network.notes,
            *([without_graph] if without_graph else []),
            *notes_on(assignment.protocol),
        ),
        work=work,
        set_aside=tuple(failed.values()),
    )


def _work(wholes: list[Whole], found: Part) -> Work:
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
    begun = json.loads(store.get(RECORD))
    store.put(RECORD, runs.json_bytes(begun | study.describe() | {"schema": SCHEMA, "reproduce": reproduce}))
