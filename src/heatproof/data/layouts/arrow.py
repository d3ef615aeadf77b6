"""Data sets of Hugging Face's ``datasets`` as ``save_to_disk`` writes them: Arrow streams, mapped and not read."""

import importlib
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from heatproof.data.dataset import Dataset, Member, as_text
from heatproof.data.decoding import decode_bytes
from heatproof.data.json_files import read_object
from heatproof.data.layouts.opening import DATASETS, check_option, check_regular
from heatproof.errors import InputError
from heatproof.registry import unknown

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
INSTALL = 'pip install "heatproof[arrow]"'


@DATASETS.register("huggingface")
def huggingface(path: Path, *, split: str = "", image: str = "image", label: str = "label") -> Dataset:
    """A folder of Hugging Face's datasets (save_to_disk): column image (struct with bytes), column label."""
    folder = _split(path, split)
    files = _files(folder)
    names = class_names(read_object(folder / INFO).get("features"), label) if (folder / INFO).is_file() else ()
    columns = _Columns(image, label)
    members: list[Member] = []
    for file in files:
        labels = columns.labels(file)
        source = as_text(file.stem)
        members += [Member(f"{source}-{row:06d}", _Row(columns, file, row), value) for row, value in enumerate(labels)]
    notes = () if all(member.label is not None for member in members) else ("no labels, or not for all pictures",)
    return Dataset("huggingface", tuple(members), names, notes)


def class_names(features: Any, label: str) -> tuple[str, ...]:  # noqa: ANN401 - whatever JSON holds
    """The names of a ``ClassLabel``, or none.

    >>> class_names({"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}, "label")
    ('cat', 'dog')
    """
    feature = features.get(label) if isinstance(features, dict) else None
    names = feature.get("names") if isinstance(feature, dict) else None
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _split(path: Path, split: str) -> Path:
    """The folder of a split, where there are several."""
    if not (path / SPLITS).is_file():
        if split:
            raise InputError(f"expected {SPLITS} in it, which names splits, found none")
        return path
    known = read_object(path / SPLITS).get("splits")
    if not isinstance(known, list) or not known:
        raise InputError(f"expected names of splits in {SPLITS}, got {known!r:.80}")
    wanted = split or next((name for name in ("test", "validation", "val") if name in known), str(known[0]))
    check_option("split", wanted, [str(name) for name in known])
    return path / _inside(wanted)


def _files(folder: Path) -> list[Path]:
    listed = read_object(folder / STATE).get("_data_files") if (folder / STATE).is_file() else None
    if listed is None:
        raise InputError(
            f"expected {STATE} with the names of Arrow files in {folder.name!r} (save_to_disk), found none"
        )
    try:
        files = [folder / _inside(str(entry["filename"])) for entry in listed]
    except (KeyError, TypeError) as error:
        raise InputError(f"expected names of Arrow files in {STATE}, got {listed!r:.80}") from error
    if not files:
        raise InputError(f"expected names of Arrow files in {STATE}, got none")
    return files


def _inside(name: str) -> str:
    if "/" in name or "\\" in name or name in ("", ".", "..") or "\0" in name:
        raise InputError(f"expected the name of a file in the folder, got {name!r:.80}")
    return name


class _Columns:
    """The columns of the files that were opened last; opened again in another process."""

    def __init__(self, image: str, label: str) -> None:
        self._image = image
        self._label = label
        self._lock = threading.Lock()
        self._opened = lru_cache(maxsize=8)(self._open)

    def __reduce__(self) -> tuple[type["_Columns"], tuple[str, str]]:
        return _Columns, (self._image, self._label)

    def labels(self, file: Path) -> list[int | None]:
        """The class index of each row; a negative one stands for none."""
        table = self._table(file)
        if self._label not in table.column_names:
            return [None] * len(table)
        values = table[self._label].to_pylist()
        if not all(value is None or (isinstance(value, int) and not isinstance(value, bool)) for value in values):
            kind = table.schema.field(self._label).type
            raise InputError(f"expected column {self._label!r} to hold class indices, got {kind}")
        return [value if value is not None and value >= 0 else None for value in values]

    def content(self, file: Path, row: int) -> bytes | None:
        """The bytes in one row."""
        value = self._table(file)[self._image][row].as_py()
        found = value.get("bytes") if isinstance(value, dict) else value
        return found if isinstance(found, bytes) else None

    def _table(self, file: Path) -> Any:  # noqa: ANN401 - a table of Arrow's
        with self._lock:
            return self._opened(file)

    def _open(self, file: Path) -> Any:  # noqa: ANN401
        arrow = _needed()
        check_regular(file)
        try:
            with arrow.memory_map(str(file)) as source:
                _refuse_compressed(arrow, file, source)
                table = arrow.ipc.open_stream(source).read_all()
            self._check(arrow, file, table)
            wanted = [name for name in (self._image, self._label) if name in table.column_names]
            columns = table.select(wanted)
            columns.validate(full=True)  # offsets of a file that lies would read other memory
            return columns
        except (arrow.ArrowException, OSError, ValueError, struct.error) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"expected an Arrow stream, got {file.name!r}: {error}") from error

    def _check(self, arrow: Any, file: Path, table: Any) -> None:  # noqa: ANN401
        if self._image not in table.column_names:
            raise InputError(unknown(f"column of {file.name!r} (image=NAME):", self._image, table.column_names))
        twice = next((name for name in (self._image, self._label) if table.column_names.count(name) > 1), None)
        if twice:
            raise InputError(f"expected one column {twice!r} in {file.name!r}, got several")
        kind = table.schema.field(self._image).type
        inner = kind.field("bytes").type if arrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 else kind
        if not (arrow.types.is_binary(inner) or arrow.types.is_large_binary(inner)):
            raise InputError(
                f"expected column {self._image!r} to hold bytes, or a struct with a field bytes, got {kind}"
            )


def _refuse_compressed(arrow: Any, file: Path, source: Any) -> None:  # noqa: ANN401
    """Refuses streams whose buffers are compressed: a megabyte could take all memory, and nothing is mapped.

    Buffers that are not have the bytes of their rows in the file; then numbers of rows cannot lie, either.
    """
    with suppress(EOFError):
        while True:
            metadata = bytes(arrow.ipc.read_message(source).metadata)
            message = _Table(metadata, *struct.unpack_from("<I", metadata))
            kind = message.byte(1)
            if kind in (_RECORDS, _DICTIONARY):
                records = message.table(2) if kind == _RECORDS else message.table(2).table(1)
                if records.has(3):
                    raise InputError(
                        f"expected {file.name!r} without compression, as save_to_disk writes it; load it with datasets "
                        "and save it again"
                    )
    source.seek(0)


_DICTIONARY, _RECORDS = 2, 3  # kinds of Arrow's messages


@dataclass(frozen=True)
class _Table:
    """A table of a flatbuffer, as far as is needed to see whether a field is there."""

    content: bytes
    place: int

    def has(self, field: int) -> bool:
        """Whether the field is there."""
        return bool(self._offset(field))

    def byte(self, field: int) -> int:
        """A field of one byte, zero where it is left out."""
        return self.content[self.place + self._offset(field)] if self.has(field) else 0

    def table(self, field: int) -> "_Table":
        """A field that is a table."""
        if not self.has(field):
            raise InputError("expected records in a message of Arrow's, got none")
        place = self.place + self._offset(field)
        return _Table(self.content, place + int(struct.unpack_from("<I", self.content, place)[0]))

    def _offset(self, field: int) -> int:
        known = self.place - struct.unpack_from("<i", self.content, self.place)[0]
        if known < 0 or 4 + 2 * field >= struct.unpack_from("<H", self.content, known)[0]:
            return 0
        return int(struct.unpack_from("<H", self.content, known + 4 + 2 * field)[0])


@dataclass(frozen=True, slots=True)
class _Row:
    """The picture in one row."""

    columns: _Columns
    file: Path
    row: int

    def __call__(self, max_pixels: int) -> Image.Image:
        content = self.columns.content(self.file, self.row)
        if content is None:
            raise InputError("expected the bytes of a picture, got none; paths to files elsewhere are not followed")
        return decode_bytes(content, max_pixels)


def _needed() -> Any:  # noqa: ANN401 - a module
    try:
        importlib.import_module("pyarrow.ipc")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise InputError(f"Arrow files need the package pyarrow: {INSTALL}") from error
