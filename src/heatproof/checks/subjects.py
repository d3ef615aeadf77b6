"""What a user points at: a callable of their own, maps in a file, or a published curve in a file."""

import csv
import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.network.own import run_file


def load_callable(spec: str) -> Callable[..., Any]:
    """The callable that ``package.module:function`` or ``FILE.py:function`` names; runs its code.

    Raises:
        InputError: if there is none.
    """
    source, _, name = spec.rpartition(":")
    if not source or not name:
        raise InputError(f"expected package.module:function or FILE.py:function, got {spec!r}")
    if source.endswith(".py"):
        if not Path(source).is_file():
            raise InputError(f"there is no file {source!r}")
        module = run_file(Path(source))
    else:
        try:
            module = importlib.import_module(source)
        except ModuleNotFoundError as error:
            raise InputError(f"cannot import {source!r} ({error}); a file's name ends in .py") from error
    found = getattr(module, name, None)
    if not callable(found):
        raise InputError(f"{spec} must be a callable, got {found!r}")
    return found  # type: ignore[no-any-return]


def read_maps(path: Path, names: Sequence[str]) -> Tensor:
    """(N, H, W) maps from a .npy file, or a .npz file with one such array or one (H, W) for each picture's name.

    A picture is found by its path, its file name, or that without the suffix.

    Raises:
        InputError: if the file cannot be read, or a picture has no map in it.
    """
    try:
        found = np.load(path, allow_pickle=False)
        arrays = {"": found} if isinstance(found, np.ndarray) else dict(found)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read maps from {str(path)!r}: {error}") from error
    (first, *others) = arrays.values()
    if not others and first.ndim != 2:
        return torch.from_numpy(first.astype(np.float32))
    return torch.from_numpy(np.stack([_of_picture(arrays, name, path) for name in names]).astype(np.float32))


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


def _of_picture(arrays: dict[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    for key in (name, Path(name).name, Path(name).stem):
        if key in arrays:
            return arrays[key]
    raise InputError(f"{str(path)!r} has no map for picture {name!r}; it has {', '.join(sorted(arrays)[:5])} …")


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
