"""Data sets of Hugging Face's ``datasets`` as ``save_to_disk`` writes them: Arrow streams, mapped and not read."""

import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

from heatproof.data.dataset import Dataset, Member, as_text
from heatproof.data.layouts.opening import DATASETS, check_option, without_labels
from heatproof.data.layouts.rows import PictureInRow, RowReader, class_names
from heatproof.errors import InputError
from heatproof.guarded import opened
from heatproof.json_objects import read_json_object
from heatproof.lazily import optional
from heatproof.registry import unknown

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"


@DATASETS.register("huggingface")
def huggingface(path: Path, *, split: str = "", image: str = "image", label: str = "label") -> Dataset:
    """A folder of Hugging Face's datasets (save_to_disk): column image (struct with bytes), column label."""
    folder = _split(path, split)
    files = _files(folder)
    names = class_names(read_json_object(folder / INFO).get("features"), label) if (folder / INFO).is_file() else ()
    reader = ArrowColumns(image, label)
    members = tuple(
        Member(f"{as_text(file.stem)}-{row:06d}", PictureInRow(reader, file, row), value)
        for file in files
        for row, value in enumerate(reader.labels(file))
    )
    return Dataset("huggingface", members, names, without_labels(members))


def _split(path: Path, split: str) -> Path:
    """The folder of a split, where there are several."""
    if not (path / SPLITS).is_file():
        if split:
            raise InputError(f"expected {SPLITS} in it, which names splits, found none")
        return path
    known = read_json_object(path / SPLITS).get("splits")
    if not isinstance(known, list) or not known:
        raise InputError(f"expected names of splits in {SPLITS}, got {known!r:.80}")
    wanted = split or next((name for name in ("test", "validation", "val") if name in known), str(known[0]))
    check_option("split", wanted, [str(name) for name in known])
    return path / _inside(wanted)


def _files(folder: Path) -> list[Path]:
    if not (folder / STATE).is_file():
        raise InputError(
            f"expected {STATE} with the names of Arrow files in {folder.name!r} (save_to_disk), found none"
        )
    listed = read_json_object(folder / STATE).get("_data_files")
    if not isinstance(listed, list) or not listed or not all(isinstance(entry, dict) for entry in listed):
        raise InputError(f"expected names of Arrow files in {STATE}, got {listed!r:.80}")
    return [folder / _inside(str(entry.get("filename", ""))) for entry in listed]


def _inside(name: str) -> str:
    if "/" in name or "\\" in name or name in ("", ".", "..") or "\0" in name:
        raise InputError(f"expected the name of a file in the folder, got {name!r:.80}")
    return name


class ArrowColumns(RowReader):
    """The columns of the files that were opened last."""

    def labels(self, file: Path) -> list[int | None]:
        """The class index of each row; a negative one stands for none."""
        table, label = self.kept(file), self.columns[1]
        if label not in table.column_names:
            return [None] * len(table)
        values = table[label].to_pylist()
        if not all(value is None or (isinstance(value, int) and not isinstance(value, bool)) for value in values):
            raise InputError(f"expected column {label!r} to hold class indices, got {table.schema.field(label).type}")
        return [value if value is not None and value >= 0 else None for value in values]

    def content(self, file: Path, row: int) -> bytes | None:
        """The bytes in one row."""
        value = self.kept(file)[self.columns[0]][row].as_py()
        found = value.get("bytes") if isinstance(value, dict) else value
        return found if isinstance(found, bytes) else None

    def load(self, file: Path, part: int) -> Any:  # noqa: ANN401 - a table of Arrow's
        """The table in a file, which is mapped."""
        optional("pyarrow.ipc", extra="arrow", what="Arrow files")
        arrow = optional("pyarrow", extra="arrow", what="Arrow files")
        try:
            with opened(file, repr(file.name)), arrow.memory_map(str(file)) as source:
                _refuse_compressed(arrow, file, source)
                table = arrow.ipc.open_stream(source).read_all()
            self._check(arrow, file, table)
            columns = table.select([name for name in self.columns if name in table.column_names])
            columns.validate(full=True)  # offsets of a file that lies would read other memory
            return columns
        except InputError:
            raise
        except (arrow.ArrowException, OSError, ValueError, struct.error) as error:
            raise InputError(f"expected an Arrow stream, got {file.name!r}: {error}") from error

    def _check(self, arrow: Any, file: Path, table: Any) -> None:  # noqa: ANN401
        image = self.columns[0]
        if image not in table.column_names:
            raise InputError(unknown(f"column of {file.name!r} (image=NAME):", image, table.column_names))
        twice = next((name for name in self.columns if table.column_names.count(name) > 1), None)
        if twice:
            raise InputError(f"expected one column {twice!r} in {file.name!r}, got several")
        kind = table.schema.field(image).type
        inner = kind.field("bytes").type if arrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 else kind
        if not (arrow.types.is_binary(inner) or arrow.types.is_large_binary(inner)):
            raise InputError(f"expected column {image!r} to hold bytes, or a struct with a field bytes, got {kind}")


def _refuse_compressed(arrow: Any, file: Path, source: Any) -> None:  # noqa: ANN401
    """Refuses streams whose buffers are compressed: a megabyte could take all memory, and nothing is mapped.

    Buffers that are not have the bytes of their rows in the file; then numbers of rows cannot lie, either. pyarrow does
    not tell, so the flatbuffer of each message is read as far as that field [Arrow, format/Message.fbs].
    """
    with suppress(EOFError):
        while True:
            content = bytes(arrow.ipc.read_message(source).metadata)
            message = struct.unpack_from("<I", content)[0]
            kind = _field(content, message, _KIND)
            records = _inner(content, message, _HEADER) if kind and content[kind] in (_RECORDS, _DICTIONARY) else 0
            if kind and content[kind] == _DICTIONARY:
                records = _inner(content, records, _DATA)
            if records and _field(content, records, _COMPRESSION):
                raise InputError(
                    f"expected {file.name!r} without compression, as save_to_disk writes it; load it with datasets "
                    "and save it again"
                )
    source.seek(0)


_DICTIONARY, _RECORDS = 2, 3  # kinds of Arrow's messages
_KIND, _HEADER, _DATA, _COMPRESSION = 1, 2, 1, 3  # fields of a message (two), of a dictionary, and of records


def _field(content: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table lies; 0 where it is left out."""
    known = table - struct.unpack_from("<i", content, table)[0]
    if known < 0 or 4 + 2 * number >= struct.unpack_from("<H", content, known)[0]:
        return 0
    offset = int(struct.unpack_from("<H", content, known + 4 + 2 * number)[0])
    return table + offset if offset else 0


def _inner(content: bytes, table: int, number: int) -> int:
    """Where a table in a field lies."""
    place = _field(content, table, number)
    if not place:
        raise InputError("expected records in a message of Arrow's, got none")
    return place + int(struct.unpack_from("<I", content, place)[0])
