"""A part of a comparison as tables, and back: one row for each sequence, one for each image and method."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps import Conservation
from heatproof.perturbation import Curves, Engine, Protocol
from heatproof.studies.parts import Part
from heatproof.studies.task import REFERENCE

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
        about: what is the same for all rows: methods, operations, the engine; JSON-able.
    """

    sequences: pl.DataFrame
    images: pl.DataFrame
    about: dict[str, Any]


def stored(part: Part, numbers: Sequence[int]) -> StoredPart:
    """A part whose images have these places in the data set."""
    walks = [*part.curves.items(), *part.lerf.items()]
    about = {
        "methods": list(part.heatmaps),
        "lerf": list(part.lerf),
        "reference": REFERENCE in part.curves,
        "places": {method: list(found.places) for method, found in part.conservation.items()},
        "measures": {method: list(found) for method, found in part.measured.items()},
        "engine": asdict(walks[0][1].engine),
    }
    sequences = pl.concat([sequence_rows(part.names, numbers, method, curves) for method, curves in walks])
    images = pl.concat([_image_rows(part, numbers, method) for method in part.heatmaps], how="diagonal")
    return StoredPart(sequences, images, about)


def restored(found: StoredPart, protocol: Protocol) -> Part:
    """The part, but for its heatmaps, which are stored on their own.

    Raises:
        InputError: for tables that do not hold what they should.
    """
    check_table(found.sequences, SEQUENCES)
    check_table(found.images, IMAGES)
    about = found.about
    try:
        engine = Engine(**about["engine"])
        walked = {key: curves_of(rows, protocol, engine) for key, rows in _by_walk(found.sequences).items()}
        names = [*about["methods"], *([REFERENCE] if about["reference"] else [])]
        curves = {name: walked[name, "random" if name == REFERENCE else "morf"] for name in names}
        lerf = {name: walked[name, "lerf"] for name in about["lerf"]}
        first = found.images.filter(pl.col("method") == about["methods"][0])
        for walk in (*curves.values(), *lerf.values()):
            check_walk(walk, len(first))
        return Part(
            names=tuple(first["image"]),
            classes=tuple(first["class"]),
            targets=next(iter(curves.values())).targets,
            curves=curves,
            lerf=lerf,
            heatmaps={},
            conservation={name: _conservation(found.images, name, places) for name, places in about["places"].items()},
            measured={name: _measures(found.images, name, found_) for name, found_ in about["measures"].items()},
        )
    except BROKEN as error:
        raise InputError(f"this part of a run does not hold what it should: {type(error).__name__}: {error}") from error


def check_walk(walk: Curves, images: int) -> None:
    """Refuses curves that do not fit together: a file can say anything."""
    count, steps = len(walk.images), walk.steps
    fits = (
        0 < count <= images
        and walk.scores.shape == walk.scored.shape
        and walk.removed_fraction.shape == (*walk.orders.shape[:2], steps + 1)
        and int(walk.orders.min()) >= 0
        and int(walk.scored.min()) == int(walk.scored[..., 0].max()) == 0
        and int(walk.scored.max()) <= steps
        and bool((walk.scored.diff(dim=-1) > 0).all())
    )
    if not fits:
        raise ValueError(f"sequences of {count} images with {steps} steps do not fit together")


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
    return pl.DataFrame(values, schema=SEQUENCES)


def _image_rows(part: Part, numbers: Sequence[int], method: str) -> pl.DataFrame:
    count = len(part.curves[method].images)
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


def _by_walk(sequences: pl.DataFrame) -> dict[tuple[str, str], pl.DataFrame]:
    groups = sequences.partition_by("method", "order", as_dict=True, maintain_order=True)
    return {(str(method), str(order)): rows for (method, order), rows in groups.items()}


def curves_of(rows: pl.DataFrame, protocol: Protocol, engine: Engine) -> Curves:
    """Curves from rows of ``SEQUENCES`` that are of one method and order, repeat after repeat of each image."""
    repeats = protocol.repeats
    count = len(rows) // repeats

    if count * repeats != len(rows):
        raise ValueError(f"{len(rows)} sequences are not {repeats} of each image")

    def tensor(column: str, dtype: torch.dtype, of: pl.DataFrame = rows) -> Tensor:
        values = np.array(of[column].to_list())
        return torch.from_numpy(values).to(dtype).reshape(count, len(of) // count, -1)

    order, firsts = str(rows["order"][0]), rows.gather_every(repeats)
    ordered = rows if order == "random" else firsts  # heatmaps give the same order in all repeats
    return Curves(
        scores=tensor("scores", torch.float32),
        orders=tensor("regions", torch.int32, ordered),
        removed_fraction=tensor("removed_fraction", torch.float64, ordered),
        scored=tensor("steps", torch.int32),
        targets=torch.tensor(firsts["target"].to_list()),
        images=tuple(firsts["identity"]),
        order=order,
        protocol=protocol,
        engine=engine,
    )


def _conservation(images: pl.DataFrame, method: str, places: Sequence[str]) -> Conservation:
    rows = images.filter(pl.col("method") == method)
    absorbed = np.array(rows["absorbed"].to_list(), dtype=np.float64).reshape(len(rows), len(places))
    return Conservation(rows["kept"].to_numpy(), rows["peak"].to_numpy(), tuple(places), absorbed)


def _measures(images: pl.DataFrame, method: str, names: Sequence[str]) -> dict[str, np.ndarray]:
    rows = images.filter(pl.col("method") == method)
    return {name: rows[name].to_numpy() for name in names}


def check_table(frame: pl.DataFrame, schema: Mapping[str, Any]) -> None:
    """Refuses a table without these columns."""
    wrong = [name for name, dtype in schema.items() if frame.schema.get(name) != dtype]
    if wrong:
        expected = ", ".join(f"{name} ({schema[name]})" for name in wrong)
        raise InputError(f"expected columns {expected}, got {dict(frame.schema)}; this is no part of a run")
