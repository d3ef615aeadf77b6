"""From a ``deploy.prototxt`` and a ``.caffemodel`` to a torch module, without Caffe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import heatproof.network.caffe.layers  # noqa: F401 - registers the types of layers
from heatproof.errors import InputError
from heatproof.network.caffe.blobs import Blob, read_blobs
from heatproof.network.caffe.given import Given
from heatproof.network.caffe.layer import LAYERS, META, Layer, Shape, Start, listed
from heatproof.network.caffe.modules import Dense
from heatproof.network.caffe.text import read_text
from heatproof.randomness import addressed
from heatproof.registry import unknown

MOST_VALUES = 2**28  # of one map, for one image: 1 GB
MOST_WEIGHTS = 2**30  # of a network: 4 GB; VGG-19 has 0.14 · 10⁹
_TRAINING = ("Data", "ImageData", "HDF5Data", "SoftmaxWithLoss", "Accuracy", "DATA", "SOFTMAX_LOSS", "ACCURACY")
_OWN = {
    "title",
    "input_shape",
    "classes",
    "_source",
    "_output",
    "_wiring",
    "_one_size",
    *vars(nn.Module()),
}  # not for layers
_IGNORED = ("param", "blobs_lr", "weight_decay", "propagate_down", "loss_weight", "phase", "include", "exclude")


@dataclass(frozen=True)
class Step:
    """One layer in its place: ``name`` in the file, ``key`` in the module, the values that it reads and makes."""

    name: str
    key: str
    layer: Layer
    reads: tuple[str, ...]
    makes: str


class CaffeNetwork(nn.Module):
    """The layers of a ``deploy.prototxt``, one after the other; scores (B, classes) come out.

    Attributes:
        title: its name in the file.
        input_shape: (C, H, W) of the images that it was made for.
        classes: how many scores it has.
    """

    title: str
    input_shape: Shape
    classes: int

    def __init__(self, source: str, steps: Sequence[Step], output: str) -> None:
        super().__init__()
        self._source, self._output = source, output
        self._one_size = any(isinstance(step.layer.module, Dense) for step in steps)
        self._wiring = [(step.key, step.reads, step.makes) for step in steps]
        for step in steps:
            self.add_module(step.key, step.layer.module)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, classes); dense layers take images of one size."""
        if self._one_size and tuple(images.shape[1:]) != self.input_shape:
            raise InputError(
                f"{self.title} takes images {self.input_shape}, got {tuple(images.shape[1:])}; set the crop"
            )
        values = {self._source: images}
        for key, reads, makes in self._wiring:
            values[makes] = self.get_submodule(key)(*[values[name] for name in reads])
        scores = values[self._output]
        return scores if scores.ndim == 2 else scores.flatten(start_dim=1)


def read_network(prototxt: Path, caffemodel: Path | None) -> CaffeNetwork:
    """The network that a ``deploy.prototxt`` describes, with the weights of a ``.caffemodel``, or random ones.

    Layers find their weights by name, as in Caffe; those of layers that the description lacks are left out.
    A softmax at the end is left out: scores are what comes before it.

    Raises:
        InputError: naming the layer and what was expected, if the files are not whole, do not fit each other, or have
            a layer that heatproof does not know.
    """
    given = Given(read_text(prototxt), prototxt.name)
    layers = [*given.parts("layer"), *given.parts("layers")]
    source, shape = _input(given, layers)
    steps, output, classes = _steps(given, layers, source, shape)
    title = (given.texts("name") or [prototxt.stem])[-1]
    given.ignore("input", "input_dim", "input_shape", "state", "force_backward", "debug_info")
    given.finish()
    network = CaffeNetwork(source, steps, output)
    network.title, network.input_shape, network.classes = title, shape, classes
    blobs = None if caffemodel is None else read_blobs(caffemodel)
    for step in steps:
        if step.layer.arrays:
            arrays = _random(step) if blobs is None else _stored(step, blobs, str(caffemodel and caffemodel.name))
            network.get_submodule(step.key).load_state_dict(step.layer.state(*arrays), assign=True)
    return network


def _input(given: Given, layers: Sequence[Given]) -> tuple[str, Shape]:
    """Name and shape (C, H, W) of the images, from any of the three forms in which files give them."""
    names, sizes = given.texts("input"), given.wholes("input_dim", 1)
    shapes = [part.wholes("dim", 1) for part in given.parts("input_shape")]
    for part in layers:
        if part.texts("type") == ["Input"]:
            names += part.texts("top")
            shapes += [inner.wholes("dim", 1) for inner in part.part("input_param").parts("shape")]
    shapes += [sizes] if sizes else []
    if len(names) != 1 or len(shapes) != 1 or len(shapes[0]) != 4:
        raise given.error(
            "expected one input with four sizes (batch, channels, height, width), as 'input' with 'input_dim' or "
            f"'input_shape', or as a layer of type \"Input\"; got {len(names)} inputs with sizes {shapes}"
        )
    _, channels, height, width = shapes[0]
    if channels not in (1, 3):
        raise given.error(f"expected images with 3 channels (or 1), got input sizes {shapes[0]}")
    return names[0], (channels, height, width)


def _steps(given: Given, layers: Sequence[Given], source: str, shape: Shape) -> tuple[list[Step], str, int]:
    """The layers in order, the name of the value that holds the scores, and how many there are."""
    shapes = {source: shape}
    unread = {source}
    steps: list[Step] = []
    keys: dict[str, str] = {}
    weights = 0
    for number, said in enumerate(layers, start=1):
        name = (said.texts("name") or [f"number {number}"])[-1]
        kind = (said.texts("type") or ["no type"])[-1]
        said.rename(f"{given.place}, layer {name!r} ({kind})")
        if kind == "Input" or _in_training_only(said):
            said.ignore_all()
            continue
        step = _step(said, name, kind, shapes, keys)
        keys[name] = step.key
        weights += sum(prod(array) for array, _ in step.layer.arrays)
        if weights > MOST_WEIGHTS:
            raise said.error(f"with it, the network has {weights:,} weights; {MOST_WEIGHTS:,} are the most")
        shapes[step.makes] = _shape_behind(said, step, [shapes[read] for read in step.reads])
        unread.difference_update(step.reads)
        unread.add(step.makes)
        steps.append(step)
    if len(unread) != 1 or not steps:
        found = ", ".join(sorted(unread)[:5])
        raise given.error(f"expected one output, which no layer reads, got {len(unread)}: {found}")
    return _without_final_softmax(given, steps, shapes)


def _step(said: Given, name: str, kind: str, shapes: Mapping[str, Shape], keys: Mapping[str, str]) -> Step:
    """One layer, checked."""
    builder = LAYERS.get(kind)
    if builder is None:
        hint = "; a train_val.prototxt is no deploy.prototxt" if kind in _TRAINING else ""
        raise said.error(unknown("type of layer", kind, sorted(LAYERS)) + hint)
    if name in keys:
        raise said.error("another layer has the same name")
    reads, makes = said.texts("bottom"), said.texts("top")
    for read in reads:
        if read not in shapes:
            raise said.error(unknown("input (bottom)", read, list(shapes)[-5:]) + "; layers stand in order")
    if len(makes) != 1:
        raise said.error(f"expected one output (top), got {len(makes)}")
    said.ignore("name", "type", *_IGNORED)
    layer = _built(said, kind, [shapes[read] for read in reads])
    said.finish()
    key = name.replace(".", "_") or "_"
    while key in keys.values() or hasattr(nn.Module, key) or key in _OWN:
        key += "_"
    return Step(name, key, layer, tuple(reads), makes[0])


def _built(said: Given, kind: str, shapes: Sequence[Shape]) -> Layer:
    try:
        return LAYERS[kind](said, shapes)
    except (RuntimeError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise said.error(f"it cannot be built for inputs of {listed(shapes)}: {_first_line(error)}") from error


def _shape_behind(said: Given, step: Step, shapes: Sequence[Shape]) -> Shape:
    """Shape of the layer's output; nothing is computed."""
    try:
        inputs = [torch.empty(1, *shape, device=META) for shape in shapes]
        shape = tuple(step.layer.module.eval()(*inputs).shape[1:])
    except (RuntimeError, ValueError, OverflowError) as error:
        raise said.error(f"it does not fit inputs of {listed(shapes)}: {_first_line(error)}") from error
    if not 0 < prod(shape) <= MOST_VALUES:
        raise said.error(f"its output would be {shape}; {MOST_VALUES:,} values are the most, 1 the least")
    return shape


def _without_final_softmax(given: Given, steps: list[Step], shapes: Mapping[str, Shape]) -> tuple[list[Step], str, int]:
    last = steps[-1]
    output = last.makes
    if isinstance(last.layer.module, nn.Softmax):
        steps, output = steps[:-1], last.reads[0]
    if prod(shapes[output][1:]) != 1:
        raise given.error(f"expected one score for each class, got {output!r} of shape {shapes[output]}")
    return steps, output, shapes[output][0]


def _in_training_only(said: Given) -> bool:
    phases: dict[str | int, str] = {"TRAIN": "TRAIN", "TEST": "TEST", 0: "TRAIN", 1: "TEST"}
    included = [rule.choice("phase", phases, "TEST") for rule in said.parts("include")]
    excluded = [rule.choice("phase", phases, "TRAIN") for rule in said.parts("exclude")]
    return (bool(included) and "TEST" not in included) or "TEST" in excluded


def _stored(step: Step, blobs: Mapping[str, list[Blob]], file: str) -> list[Tensor]:
    """The arrays of one layer, from the file."""
    place = f"{file}: layer {step.name!r} ({type(step.layer.module).__name__})"
    if step.name not in blobs:
        raise InputError(
            f"{unknown('layer of ' + file, step.name, list(blobs)[:20])}; do the two files belong together?"
        )
    found = blobs[step.name]
    if len(found) != len(step.layer.arrays):
        raise InputError(f"{place} needs {len(step.layer.arrays)} arrays, got {len(found)}")
    for number, (blob, (shape, _)) in enumerate(zip(found, step.layer.arrays, strict=True), start=1):
        if not blob.fits(shape):
            raise InputError(f"{place} needs {shape} as array {number}, got {blob.shape}")
    return [
        torch.from_numpy(blob.values.astype("float32", copy=True)).reshape(shape)
        for blob, (shape, _) in zip(found, step.layer.arrays, strict=True)
    ]


def _random(step: Step) -> list[Tensor]:
    """Arrays that keep values about as large as they came."""
    draws = addressed(seed=0, image=step.name, purpose="weights")

    def started(shape: Shape, start: Start) -> Tensor:
        if start != "weights":
            return torch.zeros(shape) if start == "zeros" else torch.ones(shape)
        values = torch.from_numpy(draws.standard_normal(shape, dtype=np.float32))
        return values.mul_((2 / max(1, prod(shape[1:]))) ** 0.5)

    return [started(shape, start) for shape, start in step.layer.arrays]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
