"""A comparison that was made in memory becomes a run, as if it had been computed there."""

from hashlib import blake2b

from safetensors.torch import save
from torch import Tensor

from heatproof.results.cells import CellsResult
from heatproof.results.comparison import ComparisonResult
from heatproof.runs.objects import Store, cell_of
from heatproof.runs.planted_record import Planted, keep_planted
from heatproof.runs.serialization import begin_record
from heatproof.runs.workers import this_worker
from heatproof.studies.road.record import REGIONS, prepare, shards_of
from heatproof.studies.road.sinks import Whole
from heatproof.studies.wanted import study_of


def save_shards(study: ComparisonResult, store: Store, planted: Planted | None = None) -> None:
    """Writes shards, heatmaps, the audit and what was planted; pictures that could not be used come last."""
    images, skipped = len(study.names), list(study.skipped)
    count, pilot = images + len(skipped), len(study.choice.places) if study.choice else 0
    rule = study.settlement.rule if study.settlement else None
    shards = shards_of(store, count, rule)
    begin_record(
        store,
        study_of(study.plan),
        configuration={},
        network=dict(study.network),
        data={"name": "given images", "members": count + pilot, "fingerprint": _fingerprint(study)},
        shard_size=shards.size,
        own={},
        plan=dict(study.plan),
        costs=[],
        notes=list(study.notes),
        **({"choice": study.choice.describe()} if study.choice else {}),
    )
    if planted:
        keep_planted(planted, store)
    if isinstance(study.protocol.regions, Tensor):
        store.put(REGIONS, save({"regions": study.protocol.regions.cpu().contiguous()}))
    _, height, width = next(iter(study.heatmaps.values())).shape
    channels = study.shown.images.shape[1]
    prepare(shards, list(study.heatmaps), study.protocol, study.shown.numbers, (channels, height, width))
    shown = dict(zip(study.shown.numbers, study.shown.images, strict=True))
    for number in range(len(shards)):
        places = shards.positions(number)
        some = slice(places.start, min(places.stop, images))
        used = range(some.start, some.stop)
        part = study.found.of(some) if used else None
        left = tuple(skipped[max(0, places.start - images) : max(0, places.stop - images)])
        here = {position: image for position, image in shown.items() if position in used}
        shards.write(Whole(number, part, tuple(used), left, _about(study, number)), here)
    if study.audit:
        shards.keep_audit(study.audit, images)
    if study.rounding:
        shards.keep_rounding(study.rounding, images)


def save_cells(result: CellsResult, study: str, store: Store) -> None:
    """Writes each cell as a run below that of the study, "replacements" or "assess"."""
    begin_record(store, study, configuration={}, cells=list(result.cells), **result.about())
    for number, cell in enumerate(result.cells.values()):
        save_shards(cell, cell_of(store, number))


def _about(study: ComparisonResult, number: int) -> dict[str, object]:
    """What a shard's marker says of the work: the first has all of it."""
    work = study.work
    numbers = {
        "evaluations": work.evaluations,
        "heatmap_seconds": work.heatmap_seconds,
        "perturbation_seconds": work.perturbation_seconds,
        "seconds": work.seconds,
    }
    return {name: value if number == 0 else 0 for name, value in numbers.items()} | {"worker": this_worker()}


def _fingerprint(study: ComparisonResult) -> str:
    return blake2b(repr(study.names).encode(), digest_size=8).hexdigest()
