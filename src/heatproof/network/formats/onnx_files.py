"""What an ONNX file may ask for: ONNX's own operations on numbers, and weights in plain files of its own folder.

ONNX's own checks came version by version (links within 1.21, sizes later), so those of the weights come first.
"""

import os
import stat
from collections.abc import Iterator
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

from heatproof.errors import InputError

LARGEST = 2 * 2**30  # bytes, what one protobuf message may have
WIDEST = 16  # bytes of one number
DOMAINS = ("", "ai.onnx")
REFUSED = ("ImageDecoder", "RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer")
SMALLEST_CHECKED = 2**20  # bytes


def read_external(onnx: Any, model: Any, folder: Path) -> None:  # noqa: ANN401 - a module, a message of ONNX's
    """Reads the external data of a model from a folder.

    Raises:
        InputError: for a file elsewhere, one that is no plain file, a link, and for more bytes than a model may have.
    """
    found = [tensor for tensor in messages(model, "TensorProto") if tensor.data_location == tensor.EXTERNAL]
    total = 0
    for tensor in found:
        said = {entry.key: entry.value for entry in tensor.external_data}
        size = _size(_inside(folder, said.get("location", "")), said)
        total += size
        if size > SMALLEST_CHECKED and size > prod(tensor.dims) * WIDEST:
            raise InputError(
                f"{tensor.name!r:.100} has {size:,} bytes beside the file, and only {prod(tensor.dims):,} numbers"
            )
        if total > LARGEST:
            raise InputError(f"its weights beside the file have more than {LARGEST:,} bytes")
    if found:
        onnx.load_external_data_for_model(model, str(folder))


def check_operations(model: Any) -> None:  # noqa: ANN401
    """Refuses operations that ONNX does not define, and those on files' content or texts.

    For what the converter does not know, it calls the function of torch's that has the name: ``torch.save``, too.

    Raises:
        InputError: naming the operation.
    """
    for node in messages(model, "NodeProto"):
        if node.domain not in DOMAINS or node.op_type in REFUSED:
            name = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
            raise InputError(f"it calls {name!r:.100}, which is none of ONNX's operations on numbers")


def messages(message: Any, wanted: str) -> Iterator[Any]:  # noqa: ANN401
    """All messages of a kind, wherever they lie: in attributes, graphs in graphs, functions."""
    waiting = [message]
    while waiting:
        here = waiting.pop()
        if here.DESCRIPTOR.name == wanted:
            yield here
        for field, value in here.ListFields():
            if field.message_type is not None:
                waiting.extend([value] if hasattr(value, "ListFields") else value)


def _inside(folder: Path, location: str) -> Path:
    """A plain file below the folder, reached through no link."""
    parts = PurePosixPath(location).parts
    if not parts or PurePosixPath(location).is_absolute() or ".." in parts or "\\" in location or "\0" in location:
        raise InputError(f"expected weights in its own folder, got {location!r:.100}")
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise InputError(f"expected weights in its own folder, got the link {location!r:.100}")
    if not path.is_file():
        raise InputError(f"expected weights in the file {location!r:.100}, which is none")
    return path


def _size(path: Path, said: dict[str, str]) -> int:
    """Bytes that are read of a file."""
    there = os.stat(path)  # noqa: PTH116
    if not stat.S_ISREG(there.st_mode) or there.st_nlink > 1:
        raise InputError(f"expected weights in a plain file of its own folder, got {path.name!r:.100}")
    offset, length = (int(said[key]) if key in said else None for key in ("offset", "length"))
    left = there.st_size - (offset or 0)
    if (offset or 0) < 0 or left < 0 or not 0 <= (left if length is None else length) <= left:
        raise InputError(f"expected weights within {path.name!r:.100}, which has {there.st_size:,} bytes")
    return left if length is None else length
