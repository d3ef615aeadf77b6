"""A part of a comparison as tables, and back: one row for each sequence, one for each image and method."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps import Conservation
from heatproof.perturbation import Curves, Engine, Protocol
from heatproof.perturbation.removal import HeldRemoval
from heatproof.results.part import REFERENCE, Key, Part
from heatproof.runs.records import PartRecord
from heatproof.studies.road.table_checks import (
    check_images,
    check_repeats,
    check_same_images,
    check_sequences,
    check_table,
    check_walk,
)

SEQUENCES: dict[str, pl.DataType | pl.datatypes.DataTypeClass] = {
    "number": pl.Int64,  # place of the image in the data set
    "image": pl.String,
    "identity": pl.String,  # of its pixels
    "target": pl.Int64,  # class index
    "method": pl.String,
    "order": pl.String,
    "repeat": pl.Int32,
    "steps": pl.List(pl.Int32),  # after which it was scored; 0 is the untouched image
    "scores": pl.List(pl.Float32),
    "regions": pl.List(pl.Int32),  # in the order of their removal
    "removed_fraction": pl.List(pl.Float64),  # after each of all steps
}
IMAGES: dict[str, pl.DataType | pl.datatypes.DataTypeClass] = {
    "number": pl.Int64,
    "image": pl.String,
    "class": pl.String,
    "method": pl.String,
    "kept": pl.Float64,  # share of the score that LRP brings to the pixels
    "peak": pl.Float64,
    "absorbed": pl.List(pl.Float64),  # by place
}
UNITS = SEQUENCES | {"unit": pl.String}
AGAINST = {"against": pl.Int64}  # index of the class that the target is asked against, if it is
BROKEN = (
    KeyError, TypeError, ValueError, AttributeError, StopIteration, IndexError, OverflowError, RuntimeError,
    pl.exceptions.PolarsError,
)  # fmt: skip


@dataclass(frozen=True)
class StoredPart:
    """A part as it is stored.

    Attributes:
        sequences: one row for each image, method, order and repeat (``SEQUENCES``).
        images: one row for each image and method (``IMAGES``, and one column for each measure).
        about: what is the same for all rows: methods, operations, the engine.
        scores: the same sequences in other scores (``SEQUENCES``, and ``unit``, the score), if there are some.
    """

    sequences: pl.DataFrame
    images: pl.DataFrame
    about: PartRecord
    scores: pl.DataFrame | None = None

    def tables(self) -> dict[str, pl.DataFrame]:
        """Tables by the end of their file's name."""
        scores = {} if self.scores is None else {".scores": self.scores}
        return {"": self.sequences, ".images": self.images} | scores


def stored(part: Part, numbers: Sequence[int]) -> StoredPart:
    """A part whose images have these places in the data set."""
    walks = [*part.curves.items(), *part.lerf.items()]
    about = {
        "methods": list(part.heatmaps),
        "lerf": list(part.lerf),
        "reference": REFERENCE in part.curves,
        "places": {method: list(found.places) for method, found in part.conservation.items()},
        "keeps": {method: list(found.keeps) for method, found in part.conservation.items()},
        "measures": {method: list(found) for method, found in part.measured.items()},
        "engine": asdict(walks[0][1].engine) if walks else None,
        "scores": list(part.others),
    }
    rows = [sequence_rows(part.names, numbers, method, curves) for method, curves in walks]
    sequences = pl.concat(rows) if rows else pl.DataFrame(schema=SEQUENCES)
    images = pl.concat([_image_rows(part, numbers, method) for method in part.heatmaps], how="diagonal")
    others = [
        sequence_rows(part.names, numbers, method, curves).with_columns(pl.lit(score).alias("unit"))
        for score, by_key in part.others.items()
        for (method, _), curves in by_key.items()
    ]
    return StoredPart(sequences, images, PartRecord.model_validate(about), pl.concat(others) if others else None)


def restored(found: StoredPart, numbers: Sequence[int], protocol: Protocol) -> Part:
    """The part, but for its heatmaps, which are stored on their own.

    Args:
        found: what was stored.
        numbers: places of its images in the data set.
        protocol: of the comparison.

    Raises:
        InputError: for tables that do not hold what they should.
    """
    asked = {} if protocol.against is None else AGAINST
    check_table(found.sequences, SEQUENCES | asked)
    check_table(found.images, IMAGES, without=("kept", "peak", "absorbed"))
    if found.scores is not None:
        check_table(found.scores, UNITS | asked)
    try:
        return _restored(found, numbers, protocol)
    except BROKEN as error:
        raise InputError(f"this shard of a run is damaged: {type(error).__name__}: {error}") from error


def _restored(found: StoredPart, numbers: Sequence[int], protocol: Protocol) -> Part:
    about = found.about
    rows = dict(found.images.partition_by("method", as_dict=True, maintain_order=True))
    by_method = {str(method): part for (method,), part in rows.items()}
    random = [(REFERENCE, "random")] if about.reference else []
    expected = [*((name, "morf") for name in about.methods), *random, *((name, "lerf") for name in about.lerf)]
    if set(by_method) != set(about.methods):
        raise ValueError(f"expected rows of {sorted(about.methods)}, got {sorted(by_method)}")
    names, classes = (tuple(by_method[about.methods[0]][column]) for column in ("image", "class"))
    if len(names) != len(numbers):
        raise ValueError(f"its marker has {len(numbers)} images, its tables have {len(names)}")
    for part in by_method.values():
        check_images(part, names, numbers, 1)
    whole = partial(
        Part,
        names=names,
        classes=classes,
        heatmaps={},
        conservation={
            name: _conservation(by_method[name], places, about.keeps.get(name, ()))
            for name, places in about.places.items()
        },
        measured={name: _measures(by_method[name], measures) for name, measures in about.measures.items()},
    )
    if about.engine is None:
        return whole(targets=torch.full((len(names),), -1), curves={}, lerf={})
    engine = Engine(**about.engine.named())
    read = partial(_walks, expected=expected, names=names, numbers=numbers, engine=engine)
    curves = read(found.sequences, protocol=protocol)
    units = {} if found.scores is None else found.scores.partition_by("unit", as_dict=True, maintain_order=True)
    if [str(unit) for (unit,) in units] != list(about.scores):
        raise ValueError(f"expected scores {list(about.scores)}, got {list(units)}")
    others = {}
    for (unit,), of_unit in units.items():
        alone = random if random and of_unit["order"].eq("random").all() else expected
        others[str(unit)] = read(of_unit, expected=alone, protocol=replace(protocol, score=str(unit)))
    check_same_images([walk for walks in (curves, *others.values()) for walk in walks.values()])
    part = whole(
        targets=max(curves.values(), key=lambda walk: len(walk.images)).targets,
        curves={name: curves[name, order] for name, order in ((*((m, "morf") for m in about.methods), *random))},
        lerf={name: curves[name, "lerf"] for name in about.lerf},
        others=others,
    )
    return part.with_curves(partial(_sharing, next(iter(curves.values()))))


def _sharing(first: Curves, _: Key, curves: Curves) -> Curves:
    """Curves that share what is the same in the first ones: they are of the same images, targets and scored steps."""
    same = {
        name: getattr(first, name)
        for name in ("scored", "targets", "against")
        if getattr(curves, name) is not None and torch.equal(getattr(curves, name), getattr(first, name))
    }
    return replace(curves, images=first.images if curves.images == first.images else curves.images, **same)


def _walks(
    rows: pl.DataFrame,
    *,
    expected: Sequence[Key],
    names: tuple[str, ...],
    numbers: Sequence[int],
    engine: Engine,
    protocol: Protocol,
) -> dict[Key, Curves]:
    """Curves in one score, by method and order."""
    check_sequences(rows)
    groups = rows.partition_by("method", "order", as_dict=True, maintain_order=True)
    walked = {(str(method), str(order)): part for (method, order), part in groups.items()}
    if set(walked) != set(expected):
        raise ValueError(f"expected sequences of {sorted(expected)}, got {sorted(walked)}")
    for part in walked.values():
        check_repeats(part, protocol.repeats)
        check_images(part, names, numbers, protocol.repeats)
    curves = {key: curves_of(part, protocol, engine) for key, part in walked.items()}
    for walk in curves.values():
        check_walk(walk, len(names))
    return curves


def sequence_rows(names: tuple[str, ...], numbers: Sequence[int], method: str, curves: Curves) -> pl.DataFrame:
    """One row of ``SEQUENCES`` for each image and repeat; images have these names and places in the data set."""
    count, repeats = curves.scores.shape[:2]
    image, repeat = (axis.ravel() for axis in np.indices((count, repeats)))

    def rows(values: Tensor, dtype: Any) -> pl.Series:  # noqa: ANN401 - a type of Polars
        flat = values.expand(-1, repeats, -1).reshape(count * repeats, -1)
        return pl.Series(flat.cpu().numpy()).cast(pl.List(dtype)) if len(flat) else pl.Series([], dtype=pl.List(dtype))

    values = {
        "number": np.array(numbers)[image],
        "image": [names[i] for i in image.tolist()],
        "identity": [curves.images[i] for i in image],
        "target": curves.targets.cpu().numpy()[image],
        "method": [method] * len(image),
        "order": [curves.order] * len(image),
        "repeat": repeat,
        "steps": rows(curves.scored, pl.Int32),
        "scores": rows(curves.scores, pl.Float32),
        "regions": rows(curves.orders, pl.Int32),
        "removed_fraction": rows(curves.removed_fraction, pl.Float64),
    }
    frame = pl.DataFrame(values, schema=SEQUENCES)
    if curves.against is None:
        return frame
    return frame.with_columns(pl.Series("against", curves.against.cpu().numpy()[image], dtype=pl.Int64))


def _image_rows(part: Part, numbers: Sequence[int], method: str) -> pl.DataFrame:
    count = len(part.curves[method].images) if part.curves else len(part.names)
    kept = part.conservation.get(method)
    values: dict[str, Any] = {
        "number": list(numbers[:count]),
        "image": list(part.names[:count]),
        "class": list(part.classes[:count]),
        "method": [method] * count,
        "kept": kept.kept.tolist() if kept else [None] * count,
        "peak": kept.peak.tolist() if kept else [None] * count,
        "absorbed": kept.absorbed.tolist() if kept else [None] * count,
    }
    frame = pl.DataFrame(values, schema=IMAGES)
    measures = [pl.Series(name, found, dtype=pl.Float64) for name, found in part.measured[method].items()]
    return frame.with_columns(measures)


def curves_of(rows: pl.DataFrame, protocol: Protocol, engine: Engine) -> Curves:
    """Curves from rows of ``SEQUENCES`` that are of one method and order, repeat after repeat of each image."""
    repeats = protocol.repeats
    count = len(rows) // repeats

    def tensor(column: str, dtype: torch.dtype, of: pl.DataFrame = rows) -> Tensor:
        if of[column].list.len().n_unique() != 1:
            raise ValueError(f"lists of column {column} differ in their length")
        values = of[column].explode().to_numpy(writable=True)
        return torch.from_numpy(values).to(dtype).reshape(count, len(of) // count, -1)

    order, firsts = str(rows["order"][0]), rows.gather_every(repeats)
    ordered = rows if order == "random" else firsts  # heatmaps give the same order in all repeats
    against = firsts["against"].to_list() if protocol.against is not None else None
    return Curves(
        scores=tensor("scores", torch.float32),
        removal=HeldRemoval(
            tensor("regions", torch.int32, ordered), tensor("removed_fraction", torch.float64, ordered)
        ),
        scored=tensor("steps", torch.int32),
        targets=torch.tensor(firsts["target"].to_list()),
        images=tuple(firsts["identity"]),
        order=order,
        protocol=protocol,
        engine=engine,
        against=None if against is None else torch.tensor(against),
    )


def _conservation(rows: pl.DataFrame, places: Sequence[str], keeps: Sequence[str]) -> Conservation:
    """What became of the score; a score of zero makes its shares infinite, but none is missing."""
    check_table(rows, {"kept": pl.Float64, "peak": pl.Float64})
    absorbed = np.array(rows["absorbed"].to_list(), dtype=object).reshape(len(rows), len(places))
    if None in absorbed:
        raise ValueError("a value of column absorbed is missing")
    if keeps and len(keeps) != len(places):
        raise ValueError(f"expected what absorbs relevance at {len(places)} places, got {len(keeps)}")
    kept, peak = rows["kept"].to_numpy(), rows["peak"].to_numpy()
    return Conservation(kept, peak, tuple(places), absorbed.astype(np.float64), tuple(keeps))


def _measures(rows: pl.DataFrame, names: Sequence[str]) -> dict[str, np.ndarray]:
    check_table(rows, dict.fromkeys(names, pl.Float64))
    if not all(rows[name].is_finite().all() for name in names):
        raise ValueError("measures must be finite")
    return {name: rows[name].to_numpy() for name in names}
