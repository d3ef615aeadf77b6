"""Tables of a run as Parquet, its records as JSON, and the versions that go into them."""

import io
import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl
import torch

from heatproof.errors import InputError
from heatproof.guarded import check_size
from heatproof.parquet import check_parquet
from heatproof.perturbation.curves import Curves
from heatproof.runs import schema
from heatproof.runs.objects import RECORD, Store

MOST_ROWS = 2**20  # of a table that is read
MOST_TEXT = 2**26  # bytes of a column: a dictionary can say one long text a million times
PACKAGES = ("heatproof", "torch", "torchvision", "numpy", "scipy")


def scores_frame(curves: Mapping[str, Curves], names: tuple[str, ...]) -> pl.DataFrame:
    """One row per image, method, repeat and step.

    Columns: ``image`` (name), ``identity`` (of its pixels), ``target`` (class index), ``method``, ``order``,
    ``repeat``, ``step`` (0 = untouched; the scored ones, if not all were scored), ``removed_fraction`` (of the pixels),
    ``score`` (in the protocol's unit), and ``against`` (index of the class that the target is asked against) if it is.
    """
    frames = []
    for method, curve in curves.items():
        repeats = curve.scores.shape[1]
        image, repeat, _ = (axis.ravel() for axis in np.indices(curve.scores.shape, dtype=np.int32))
        step = curve.scored.expand(curve.scores.shape)
        removed = curve.removed_fraction.expand(-1, repeats, -1).gather(2, step.long())
        against = None if curve.against is None else pl.Series("against", curve.against.cpu().numpy()[image])
        frames.append(
            pl.DataFrame(
                {
                    "image": np.array(names, dtype=object)[image].astype(str),
                    "identity": np.array(curve.images)[image],
                    "target": curve.targets.cpu().numpy()[image],
                    "method": [method] * len(image),
                    "order": [curve.order] * len(image),
                    "repeat": repeat,
                    "step": step.reshape(-1).int().numpy(),
                    "removed_fraction": removed.reshape(-1).numpy(),
                    "score": curve.scores.reshape(-1).numpy(),
                }
            ).with_columns([] if against is None else [against])
        )
    return pl.concat(frames)


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as the bytes of a Parquet file: the same frame gives the same bytes."""
    file = io.BytesIO()
    frame.write_parquet(file, compression="zstd")
    return file.getvalue()


def from_parquet(data: bytes, name: str, most_rows: int = MOST_ROWS) -> pl.DataFrame:
    """A frame from such bytes; InputError if they are no Parquet file, or would swell beyond so many rows."""
    check_parquet(io.BytesIO(data), name, most_rows=most_rows)
    try:
        frame = pl.read_parquet(io.BytesIO(data))
        texts = frame.select(pl.col(pl.String).str.len_bytes().sum()).row(0) if frame.width else ()
        check_size(f"the longest column of {name}", max(texts, default=0), MOST_TEXT)
        return frame
    except InputError:
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise InputError(f"{name} is not a Parquet file that can be read: {error}") from error


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Readable JSON, in UTF-8."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8", errors="replace")


def begin_record(store: Store, study: str, **content: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON has
    """Writes the ``run.json`` that a run begins with: what is given, with schema, versions and machine."""
    record = {"schema": schema.SCHEMA, "study": study, **content, **environment()}
    write_record(store, record)
    return record


def write_record(store: Store, record: Mapping[str, Any]) -> None:
    """Writes ``run.json``, or replaces it."""
    store.put(RECORD, json_bytes(record))


def environment() -> dict[str, Any]:
    """Versions and machine, as far as they can change a number or a time."""
    return {
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        },
    }
