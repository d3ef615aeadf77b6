"""ONNX files, converted to torch by ``onnx2pytorch``.

They may ask for ONNX's own operations on numbers, and for weights in plain files of their own folder. ONNX's own checks
came version by version (links within 1.21, sizes later), so those of the weights come first.
"""

import os
import stat
import warnings
from collections.abc import Iterator
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.lazily import optional
from heatproof.network.formats.archives import first_line

KIND = "an ONNX file"
LARGEST = 2 * 2**30  # bytes, what one protobuf message may have
WIDEST = 16  # bytes of one number
DOMAINS = ("", "ai.onnx")
REFUSED = ("ImageDecoder", "RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer")
SMALLEST_CHECKED = 2**20  # bytes

_AS_ATTRIBUTE = {"Reshape": "shape", "ReduceMean": "axes", "ReduceSum": "axes", "ReduceMax": "axes"}


class Converted(nn.Module):
    """A converted network, which takes one batch of images."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401 - what it returns is checked by whoever reads it
        """What the network returns."""
        return self.network(images)


def read_onnx(path: Path) -> tuple[nn.Module, tuple[int, int] | None, tuple[str, ...]]:
    """A module that computes what an ONNX file says, the height and width of its images, and no notes.

    Weights beside the file (external data) are read only from plain files in its own folder.

    Raises:
        InputError: for what is none, for operations that the converter does not know, or if it is not installed.
    """
    if not path.is_file():
        raise InputError(f"network: there is no file {str(path)!r}")
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path.name} is refused: it has more than {LARGEST:,} bytes")
    onnx, converter = (optional(name, extra="onnx", what="ONNX files") for name in ("onnx", "onnx2pytorch"))
    try:
        model = onnx.load(str(path), load_external_data=False)
        _check_operations(model)
        _read_external(onnx, model, path.parent)
        onnx.checker.check_model(model)
    except Exception as error:  # a damaged one can raise anything
        raise InputError(f"expected {KIND}, got {path.name}: {first_line(error)}") from error
    size = _image_size(path, model.graph)
    try:
        _simplify(onnx, model.graph)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Converted(converter.ConvertModel(model).eval()), size, ()
    except Exception as error:  # the converter raises whatever comes
        raise InputError(
            f"{path.name} cannot be converted to torch by onnx2pytorch: {first_line(error)}; give the original "
            "network, or export it by torch.export (.pt2)"
        ) from error


def _image_size(path: Path, graph: Any) -> tuple[int, int] | None:  # noqa: ANN401 - a message of ONNX's
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise InputError(
            f"{path.name} must take one batch of images and return one of class scores, and takes {len(inputs)} inputs "
            f"and returns {len(graph.output)} outputs"
        )
    dimensions = inputs[0].type.tensor_type.shape.dim
    if len(dimensions) != 4:
        raise InputError(f"{path.name} must take images (B, C, H, W), and takes {len(dimensions)} dimensions")
    batch, _, height, width = (dimension.dim_value for dimension in dimensions)
    if batch > 0:
        raise InputError(
            f"{path.name} is for batches of {batch} images; export it with a free batch: torch.onnx.export(model, "
            '(images,), FILE, dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch")},)) for 2 or more images'
        )
    return (height, width) if height > 0 and width > 0 else None


def _simplify(onnx: Any, graph: Any) -> None:  # noqa: ANN401
    """Says the same so that torch.export can follow what it becomes: plain names, constants as attributes."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    same: dict[str, str] = {}
    for node in list(graph.node):
        if node.op_type == "Identity" and node.input[0] in stored:
            same[node.output[0]] = node.input[0]
            graph.node.remove(node)
    names: dict[str, str] = {"": ""}
    for node in graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]
        _with_attributes(onnx, node, stored)
        node.input[:] = [names.setdefault(name, f"v{len(names)}") for name in node.input]
        node.output[:] = [names.setdefault(name, f"v{len(names)}") for name in node.output]
    for value in (*graph.initializer, *graph.input, *graph.output):
        value.name = names.setdefault(value.name, f"v{len(names)}")


def _with_attributes(onnx: Any, node: Any, stored: dict[str, Any]) -> None:  # noqa: ANN401
    if node.op_type == "BatchNormalization":
        kept = [attribute for attribute in node.attribute if attribute.name != "training_mode" or attribute.i]
        del node.attribute[:]
        node.attribute.extend(kept)
    attribute = _AS_ATTRIBUTE.get(node.op_type)
    if attribute is None or len(node.input) != 2 or node.input[1] not in stored:
        return
    values = onnx.numpy_helper.to_array(stored[node.input[1]]).tolist()
    kept_dims = next((a.i for a in node.attribute if a.name == "keepdims"), 1)
    if node.op_type == "ReduceMean" and sorted(values) in ([-2, -1], [2, 3]) and kept_dims:
        node.op_type = "GlobalAveragePool"
        del node.attribute[:]
    else:
        node.attribute.append(onnx.helper.make_attribute(attribute, values))
    del node.input[1]


def _read_external(onnx: Any, model: Any, folder: Path) -> None:  # noqa: ANN401 - a module, a message of ONNX's
    """Reads the external data of a model from a folder.

    Raises:
        InputError: for a file elsewhere, one that is no plain file, a link, and for more bytes than a model may have.
    """
    found = [tensor for tensor in _messages(model, "TensorProto") if tensor.data_location == tensor.EXTERNAL]
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


def _check_operations(model: Any) -> None:  # noqa: ANN401
    """Refuses operations that ONNX does not define, and those on files' content or texts.

    For what the converter does not know, it calls the function of torch's that has the name: ``torch.save``, too.

    Raises:
        InputError: naming the operation.
    """
    for node in _messages(model, "NodeProto"):
        if node.domain not in DOMAINS or node.op_type in REFUSED:
            name = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
            raise InputError(f"it calls {name!r:.100}, which is none of ONNX's operations on numbers")


def _messages(message: Any, wanted: str) -> Iterator[Any]:  # noqa: ANN401
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
