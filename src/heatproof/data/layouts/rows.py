"""Pictures whose bytes lie in the rows of tables: Parquet, Arrow."""

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from heatproof.data.decoding import decode_bytes
from heatproof.errors import InputError


class RowReader(ABC):
    """Reads rows of files; what was read last is kept, and when several threads want it, one of them reads it.

    Args:
        columns: names of those with pictures and labels. With them, it is made again in another process.
    """

    most_kept = 8

    def __init__(self, *columns: str) -> None:
        self.columns = columns
        self._lock = threading.Lock()
        self._kept = lru_cache(maxsize=self.most_kept)(self.load)

    def __reduce__(self) -> tuple[type["RowReader"], tuple[str, ...]]:
        return type(self), self.columns

    @abstractmethod
    def load(self, file: Path, part: int) -> Any:  # noqa: ANN401 - a table, or a column
        """A part of a file."""

    @abstractmethod
    def content(self, file: Path, row: int) -> bytes | None:
        """The bytes in one row."""

    def kept(self, file: Path, part: int = 0) -> Any:  # noqa: ANN401
        """What ``load`` gives."""
        with self._lock:
            return self._kept(file, part)


@dataclass(frozen=True, slots=True)
class PictureInRow:
    """The picture in one row."""

    reader: RowReader
    file: Path
    row: int

    def __call__(self, max_pixels: int) -> Image.Image:
        """The picture, as :func:`heatproof.data.read_picture` reads it."""
        content = self.reader.content(self.file, self.row)
        if content is None:
            raise InputError("expected the bytes of a picture, got none; paths to files elsewhere are not followed")
        return decode_bytes(content, max_pixels)


def class_names(features: Any, label: str) -> tuple[str, ...]:  # noqa: ANN401 - whatever JSON holds
    """The names of a ``ClassLabel`` of Hugging Face's, or none.

    >>> class_names({"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}, "label")
    ('cat', 'dog')
    """
    feature = features.get(label) if isinstance(features, dict) else None
    names = feature.get("names") if isinstance(feature, dict) else None
    return tuple(map(str, names)) if isinstance(names, list) else ()
