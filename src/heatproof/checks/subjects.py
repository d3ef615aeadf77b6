"""What a user points at: a callable of their own, maps in a file, or a published curve in a file."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps.own import load_callable
from heatproof.heatmaps.stored import Asked, MapFile

__all__ = ["load_callable", "read_curve", "read_maps"]


def read_maps(path: Path, names: Sequence[str]) -> Tensor:
    """Maps, as they are in a ``.npz``, ``.npy``, ``.zarr`` or ``.safetensors`` file, of pictures with these names.

    All in one array (N, H, W), or one array (H, W) for each picture, found by its name, its file name, or that without
    the suffix.

    Raises:
        InputError: if the file cannot be read, or a picture has no map in it.
    """
    return MapFile(path, "maps").read_unchecked(Asked.every(len(names), names)).float()


def read_curve(path: Path) -> tuple[np.ndarray, str | None]:
    """Scores (L + 1,) or (N, L + 1) from a file, and the AOPC that it states, if it does.

    CSV: a column ``score`` in the order of steps, beside it perhaps ``step`` and ``image``; or rows of numbers, one for
    each image. JSON: a list, or ``{"scores": […], "aopc": 12.3}``.

    Raises:
        InputError: if the file holds none of these.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            return _from_json(json.loads(text, parse_float=str))
        return _from_csv(text), None
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"cannot read a curve from {str(path)!r}: {error}; expected a CSV file with a column 'score' (and 'step', "
            "'image'), rows of numbers, or a JSON file with 'scores' (and 'aopc')"
        ) from error


def _from_json(content: Any) -> tuple[np.ndarray, str | None]:  # noqa: ANN401 - whatever JSON holds
    if isinstance(content, dict):
        stated = content.get("aopc")
        return np.asarray(content["scores"], dtype=np.float64), None if stated is None else str(stated)
    return np.asarray(content, dtype=np.float64), None


def _from_csv(text: str) -> np.ndarray:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    header = [cell.strip().lower() for cell in rows[0]]
    if "score" not in header:
        return np.asarray(rows, dtype=np.float64)
    records = [dict(zip(header, row, strict=True)) for row in rows[1:]]
    curves: dict[str, list[tuple[int, float]]] = {}
    for number, record in enumerate(records):
        curve = curves.setdefault(record.get("image", ""), [])
        curve.append((int(record.get("step", number)), float(record["score"])))
    return np.asarray([[score for _, score in sorted(curve)] for curve in curves.values()], dtype=np.float64)
