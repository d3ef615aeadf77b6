"""ONNX files, converted to torch by ``onnx2pytorch``."""

import importlib
import warnings
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.network.formats.onnx_files import LARGEST, check_operations, read_external

KIND = "an ONNX file"
INSTALL = 'pip install "heatproof[onnx]"'

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
    onnx, converter = _needed()
    try:
        model = onnx.load(str(path), load_external_data=False)
        check_operations(model)
        read_external(onnx, model, path.parent)
        onnx.checker.check_model(model)
    except Exception as error:  # a damaged one can raise anything
        raise InputError(f"expected {KIND}, got {path.name}: {_first(error)}") from error
    size = _image_size(path, model.graph)
    try:
        _simplify(onnx, model.graph)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Converted(converter.ConvertModel(model).eval()), size, ()
    except Exception as error:  # the converter raises whatever comes
        raise InputError(
            f"{path.name} cannot be converted to torch by onnx2pytorch: {_first(error)}; give the original network, "
            "or export it by torch.export (.pt2)"
        ) from error


def _needed() -> tuple[Any, Any]:
    try:
        return importlib.import_module("onnx"), importlib.import_module("onnx2pytorch")
    except ImportError as error:
        raise InputError(f"ONNX files need the packages onnx and onnx2pytorch: {INSTALL}") from error


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


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
