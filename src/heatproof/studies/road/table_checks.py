"""What the tables of a run must hold, whoever wrote them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl
import torch

from heatproof.errors import InputError
from heatproof.perturbation import Curves

MOST_CLASSES = 2**24
ORDERS = ("morf", "lerf", "random")
LITTLE = 1e-9  # shares of pixels are sums of fractions


def check_table(frame: pl.DataFrame, schema: Mapping[str, Any], without: Collection[str] = ()) -> None:
    """Refuses a table without these columns, or with a value that is missing in one of them.

    Args:
        frame: the table.
        schema: types of the columns.
        without: columns that may lack values.
    """
    wrong = [name for name, dtype in schema.items() if frame.schema.get(name) != dtype]
    if wrong:
        expected = ", ".join(f"{name} ({schema[name]})" for name in wrong)
        raise InputError(f"expected columns {expected}, got {dict(frame.schema)}; this is not a table of a run")
    for name in schema:
        if name not in without and _lacks(frame[name]):
            raise InputError(f"a value of column {name} is missing; this is not a table of a run")


def _lacks(column: pl.Series) -> bool:
    """Whether a value is missing in a column, or in one of its lists, or a list is empty."""
    if not column.dtype.is_nested():
        return bool(column.null_count())
    return bool(column.null_count() or column.explode().null_count() or (column.list.len() == 0).any())


def check_sequences(rows: pl.DataFrame) -> None:
    """Refuses sequences whose values cannot be what they are said to be, whatever the network and the images.

    Raises:
        ValueError: naming what is wrong.
    """
    if rows.is_empty():
        raise ValueError("it holds no sequences")
    regions, removed = rows["regions"], rows["removed_fraction"]
    right = {
        "number": rows["number"].ge(0),
        "target": rows["target"].is_between(0, MOST_CLASSES),
        "order": rows["order"].is_in(ORDERS),
        "scores": rows["scores"].explode().is_finite(),
        "steps": rows["steps"].list.len() == rows["scores"].list.len(),
        "regions": (regions.list.n_unique() == regions.list.len()) & (regions.list.min() >= 0),
        "removed_fraction": (removed.list.len() == regions.list.len() + 1)
        & removed.list.eval(pl.element().is_between(0, 1 + LITTLE)).list.all(),
    }
    if "against" in rows.columns:
        right["against"] = rows["against"].drop_nulls().is_between(0, MOST_CLASSES)
    wrong = [name for name, holds in right.items() if not holds.all()]
    if wrong:
        raise ValueError(f"values of {', '.join(wrong)} are not those of sequences")


def check_images(rows: pl.DataFrame, names: Sequence[str], numbers: Sequence[int], repeats: int) -> None:
    """Refuses rows of one method that are not those of the first of these images, ``repeats`` for each.

    Raises:
        ValueError: naming what is wrong.
    """
    count = len(rows) // repeats
    expected = pl.DataFrame(
        {
            "number": [number for number in numbers[:count] for _ in range(repeats)],
            "image": [name for name in names[:count] for _ in range(repeats)],
        },
        schema={"number": pl.Int64, "image": pl.String},
    )
    if not rows.select("number", "image").equals(expected):
        raise ValueError("its rows are not those of the images that its marker names, in their order")


def check_repeats(rows: pl.DataFrame, repeats: int) -> None:
    """Refuses sequences that are not so many of each image, in their order, all of the same pixels and target.

    Raises:
        ValueError: naming what is wrong.
    """
    if not len(rows) or len(rows) % repeats:
        raise ValueError(f"{len(rows)} sequences are not {repeats} of each image")
    place = pl.int_range(pl.len())
    told = rows.with_columns(right=(pl.col("repeat") == place % repeats), group=place // repeats)
    columns = [name for name in ("identity", "target", "against") if name in rows.columns]
    same = told.group_by("group").agg(pl.col(columns).n_unique()).drop("group")
    if not told["right"].all() or any(same[name].max() != 1 for name in same.columns):
        raise ValueError(f"its sequences are not repeats 0 to {repeats - 1} of one image after the other")


def check_walk(walk: Curves, images: int) -> None:
    """Refuses curves that do not fit together.

    Raises:
        ValueError: naming what does not.
    """
    count, steps = len(walk.images), walk.steps
    fits = (
        0 < count <= images
        and walk.scores.shape == walk.scored.shape
        and walk.removed_fraction.shape == (*walk.orders.shape[:2], steps + 1)
        and int(walk.scored.min()) == int(walk.scored[..., 0].max()) == 0
        and int(walk.scored.max()) <= steps
        and bool((walk.scored.diff(dim=-1) > 0).all())
        and bool((walk.removed_fraction[..., 0] == 0).all())
        and bool((walk.removed_fraction.diff(dim=-1) >= 0).all())
    )
    if not fits:
        raise ValueError(f"sequences of {count} images with {steps} steps do not fit together")


def check_same_images(walks: Collection[Curves]) -> None:
    """Refuses curves that are not of the same images and targets; some may be of the first images only.

    Raises:
        ValueError: if they are not.
    """
    longest_first = sorted(walks, key=lambda walk: -len(walk.images))
    for walk in longest_first[1:]:
        count = len(walk.images)
        most = longest_first[0]
        if walk.images != most.images[:count] or not torch.equal(walk.asked, most.asked[:count]):
            raise ValueError("its methods are not measured on the same images and targets")
