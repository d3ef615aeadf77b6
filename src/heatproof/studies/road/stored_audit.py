"""The audit of a run as a table and a marker, and back: one row for each setting, score, order, method and image."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Literal

import polars as pl
from torch import Tensor

from heatproof.errors import InputError
from heatproof.perturbation import Curves, Engine, Protocol
from heatproof.results.audit import Audit, Evaluated
from heatproof.results.part import REFERENCE
from heatproof.runs.ledger import digest
from heatproof.runs.objects import LARGEST_MARKER, LARGEST_TABLE, MissingError, Store
from heatproof.runs.records import AuditRecord
from heatproof.runs.schema import SCHEMA
from heatproof.runs.serialization import from_parquet, json_bytes, parquet_bytes
from heatproof.studies.audit import SIZE
from heatproof.studies.road.stored import BROKEN, SEQUENCES, curves_of, sequence_rows
from heatproof.studies.road.table_checks import (
    check_images,
    check_repeats,
    check_same_images,
    check_sequences,
    check_table,
    check_walk,
)

MARKER = "audit/audit.json"
TABLE: Literal["audit/sequences.parquet"] = "audit/sequences.parquet"
SETTINGS: dict[str, pl.DataType | pl.datatypes.DataTypeClass] = {
    "setting": pl.Int32,  # its place in the marker: those of the ranking, and then those to full removal
    "unit": pl.String,  # the score
}
WORDS = ("changed", "to", "replacement", "regions")  # of a setting
PROBABILITY = "probability"
MOST_SEQUENCES = 10_000_000


def store_audit(store: Store, audit: Audit, images: int) -> None:
    """Writes what the audit found, the marker last.

    Args:
        store: the run's.
        audit: what is stored.
        images: of how many its own were drawn.
    """
    walks = [
        (number, score, method, curves)
        for number, found in enumerate(audit.evaluated)
        for (score, _), by_method in found.curves.items()
        for method, curves in by_method.items()
    ]
    first = len(audit.evaluated)
    walks += [(first + i, PROBABILITY, REFERENCE, curves) for i, curves in enumerate(audit.removal.values())]
    rows = [
        sequence_rows(audit.names, range(len(audit.names)), method, curves).with_columns(
            pl.lit(number, dtype=pl.Int32).alias("setting"), pl.lit(score).alias("unit")
        )
        for number, score, method, curves in walks
    ]
    data = parquet_bytes(pl.concat(rows, how="diagonal"))  # full removal asks against no class
    marker = {
        "schema": SCHEMA,
        "images": images,
        "names": list(audit.names),
        "score": audit.score,
        "settings": [{word: getattr(found, word) for word in WORDS} for found in audit.evaluated],
        "to_the_end": list(audit.removal),
        "engine": asdict(walks[0][3].engine),
        "evaluations": audit.evaluations,
        "seconds": audit.seconds,
        "asked": None if audit.asked is None else [list(pair) for pair in audit.asked],
        "needed": audit.needed,
        "symmetric": audit.symmetric,
        "objects": {TABLE: digest(data)},
    }
    store.put(TABLE, data)
    store.put(MARKER, json_bytes(marker))


def stored_audit(store: Store, protocol: Protocol, images: int) -> Audit | None:
    """The audit of a run, if it is complete; restored curves say in their protocol what they share with the comparison.

    Args:
        store: the run's.
        protocol: of the comparison.
        images: how many the run has by now; an audit of images that were drawn of others counts as none.

    Raises:
        InputError: if its files are not those that were written, or do not hold what they should.
    """
    try:
        data = store.get(MARKER, at_most=LARGEST_MARKER)
    except MissingError:
        return None
    marker = AuditRecord.read(data, f"{MARKER} of {store}")
    if marker.images != images:
        return None
    content = store.get(TABLE, at_most=LARGEST_TABLE)
    if digest(content) != marker.objects[TABLE]:
        raise InputError(f"{TABLE} of {store} has changed since it was written; delete {MARKER} to compute it again")
    table = from_parquet(content, TABLE, MOST_SEQUENCES)
    check_table(table, SEQUENCES | SETTINGS)
    try:
        return _restored(marker, table, protocol)
    except BROKEN as error:
        raise InputError(f"the audit of {store} is damaged: {type(error).__name__}: {error}") from error


def _restored(marker: AuditRecord, table: pl.DataFrame, protocol: Protocol) -> Audit:
    settings, first = marker.settings, len(marker.settings)
    engine = Engine(**marker.engine.named())
    told = [*(setting.replacement for setting in settings), *marker.to_the_end]
    check_sequences(table)
    if not table["setting"].is_between(0, len(told) - 1).all():
        raise ValueError(f"it has sequences of other settings than its {len(told)}")
    regions = SIZE if isinstance(protocol.regions, Tensor) else protocol.regions
    groups = table.partition_by("setting", "unit", "order", "method", as_dict=True, maintain_order=True)
    walks: dict[int, dict[tuple[str, str], dict[str, Curves]]] = {}
    for (setting, unit, order, method), rows in groups.items():
        local = replace(
            protocol,
            replacement=told[int(setting)],
            repeats=1,
            score=str(unit),
            engine="full",
            regions=regions,
            against=protocol.against if int(setting) < first else None,
        )
        check_repeats(rows, 1)
        check_images(rows, marker.names, range(len(marker.names)), 1)
        curves = _checked(curves_of(rows, local, engine), marker.names)
        walks.setdefault(int(setting), {}).setdefault((str(unit), str(order)), {})[str(method)] = curves
    for places in (range(first), range(first, len(told))):  # to full removal, the predicted class is followed
        check_same_images([one for place in places for found in walks[place].values() for one in found.values()])
    evaluated = tuple(
        Evaluated(**{word: getattr(found, word) for word in WORDS}, curves=walks[place])
        for place, found in enumerate(settings)
    )
    removal = {
        name: walks[first + number][PROBABILITY, "random"][REFERENCE] for number, name in enumerate(marker.to_the_end)
    }
    _check_settings(evaluated, marker.score, symmetric=marker.symmetric)
    found = Audit(
        marker.names, marker.score, evaluated, removal, marker.evaluations, marker.seconds,
        marker.asked, marker.needed, marker.symmetric,
    )  # fmt: skip
    _ = found.r_oms  # refuses what does not go to full removal
    return found


def _checked(curves: Curves, names: Sequence[str]) -> Curves:
    check_walk(curves, len(names))
    if len(curves.images) != len(names):
        raise ValueError(f"expected sequences of {len(names)} images, got {len(curves.images)}")
    return replace(curves, protocol=replace(curves.protocol, steps=curves.steps, scored=curves.scores.shape[-1] - 1))


def _check_settings(evaluated: Sequence[Evaluated], score: str, *, symmetric: bool) -> None:
    """Refuses settings that lack what the ranking needs, or have other methods than the first."""
    for number, found in enumerate(evaluated):
        needed = {(score, "morf"), (score, "lerf")} if number == 0 or symmetric else {(score, "morf")}
        methods = {tuple(by_method) for by_method in found.curves.values()}
        if not needed <= set(found.curves) or methods != {tuple(evaluated[0].curves[score, "morf"])}:
            raise ValueError(f"setting {number} has {list(found.curves)} of {methods}")
