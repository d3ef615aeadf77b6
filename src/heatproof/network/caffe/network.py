"""A torch module from a ``deploy.prototxt`` and a ``.caffemodel``, without Caffe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from heatproof.data.preprocessing import PRESETS, Preprocessing
from heatproof.errors import InputError
from heatproof.network.caffe.blobs import Blob, read_blobs
from heatproof.network.caffe.fields import Fields, choice, text, whole
from heatproof.network.caffe.layers import LAYERS, META, Layer, Shape, listed
from heatproof.network.caffe.modules import InnerProduct
from heatproof.network.caffe.text import read_text
from heatproof.randomness import addressed
from heatproof.registry import unknown

MOST_VALUES = 2**28  # of one map, for one image: 1 GB
MOST_WEIGHTS = 2**30  # of a network: 4 GB; VGG-19 has 0.14 · 10⁹
USUAL_SIDE = 256  # to which Caffe's examples warp pictures before they crop them
SMALLEST_CROP = 192  # images below are no crops of that
PHASES = choice("TRAIN", "TEST")
_TRAINING = ("Data", "ImageData", "HDF5Data", "SoftmaxWithLoss", "Accuracy", "DATA", "SOFTMAX_LOSS", "ACCURACY")
_IGNORED = ("param", "blobs_lr", "weight_decay", "propagate_down", "loss_weight", "phase", "include", "exclude")
_OWN = {"title", "input_shape", "classes", "_source", "_output", "_placed", *vars(nn.Module())}  # not for layers


@dataclass(frozen=True)
class PlacedLayer:
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

    def __init__(
        self, title: str, images: tuple[str, Shape], layers: Sequence[PlacedLayer], scores: tuple[str, int]
    ) -> None:
        super().__init__()
        self.title = title
        self._source, self.input_shape = images
        self._output, self.classes = scores
        self._placed = [(placed.key, placed.reads, placed.makes) for placed in layers]
        for placed in layers:
            self.add_module(placed.key, placed.layer.module)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, classes); dense layers take images of one size."""
        came = tuple(images.shape[1:])
        if came != self.input_shape and any(isinstance(module, InnerProduct) for module in self.children()):
            raise InputError(f"{self.title} takes images {self.input_shape}, got {came}; set the crop")
        values = {self._source: images}
        for key, reads, makes in self._placed:
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
    file = Fields(read_text(prototxt), prototxt.name)
    described = [*file.parts("layer"), *file.parts("layers")]
    images = _input(file, described)
    layers, output, classes = _layers(file, described, *images)
    title = file.one("name", text, prototxt.stem)
    file.ignore("input", "input_dim", "input_shape", "state", "force_backward", "debug_info")
    file.finish()
    network = CaffeNetwork(title, images, layers, (output, classes))
    blobs = None if caffemodel is None else read_blobs(caffemodel)
    for placed in layers:
        if placed.layer.arrays:
            arrays = _random(placed) if blobs is None else _stored(placed, blobs, str(caffemodel and caffemodel.name))
            network.get_submodule(placed.key).load_state_dict(placed.layer.state(*arrays), assign=True)
    return network


def open_network(
    prototxt: Path, weights: str | Path | None, mean: Sequence[float] | None
) -> tuple[CaffeNetwork, Preprocessing, tuple[str, ...]]:
    """The module, how it wants its pictures, and what a user should know.

    Pictures are warped to 256 × 256 and cropped to the network's size, or resized to it where it is larger, or below
    192. Channels are BGR, values from 0 to 255, less the ``mean`` of each channel; by default 104, 117, 123.
    """
    if not prototxt.is_file():
        raise InputError(
            f"caffe: there is no file {str(prototxt)!r}; 'heatproof fetch' lists networks of Caffe that it can download"
        )
    random = weights is None or str(weights) == "none"
    module = read_network(prototxt, None if random else Path(str(weights)))
    channels, height, width = module.input_shape
    usual = PRESETS["caffe"].mean if channels == 3 else (0.0,)
    crops = SMALLEST_CROP <= max(height, width) <= USUAL_SIDE
    preprocessing = Preprocessing(
        resize=(USUAL_SIDE, USUAL_SIDE) if crops else (height, width),
        crop=(height, width),
        mean=tuple(usual if mean is None else mean),
        std=(1.0,) * channels,
        channels="bgr" if channels == 3 else "rgb",
        scale=255.0,
    )
    notes = [f"{module.title} has random weights: its heatmaps explain nothing"] if random else []
    if mean is None:
        shown = ", ".join(f"{value:g}" for value in usual)
        notes.append(f"no mean was given for {module.title}: {shown} is subtracted; set another with --mean (mean=…)")
    return module, preprocessing, tuple(notes)


def _input(file: Fields, layers: Sequence[Fields]) -> tuple[str, Shape]:
    """Name and shape (C, H, W) of the images, from any of the three forms in which files give them."""
    names, sizes = file.all("input", text), file.all("input_dim", whole(1))
    shapes = [part.all("dim", whole(1)) for part in file.parts("input_shape")]
    for layer in layers:
        if layer.all("type", text) == ["Input"]:
            names += layer.all("top", text)
            shapes += [inner.all("dim", whole(1)) for inner in layer.part("input_param").parts("shape")]
    shapes += [sizes] if sizes else []
    if len(names) != 1 or len(shapes) != 1 or len(shapes[0]) != 4:
        raise file.error(
            "expected one input with four sizes (batch, channels, height, width), as 'input' with 'input_dim' or "
            f"'input_shape', or as a layer of type \"Input\"; got {len(names)} inputs with sizes {shapes}"
        )
    _, channels, height, width = shapes[0]
    if channels not in (1, 3):
        raise file.error(f"expected images with 3 channels (or 1), got input sizes {shapes[0]}")
    return names[0], (channels, height, width)


def _layers(file: Fields, described: Sequence[Fields], source: str, shape: Shape) -> tuple[list[PlacedLayer], str, int]:
    """The layers in order, the name of the value that holds the scores, and how many there are."""
    shapes = {source: shape}
    unread = {source}
    found: list[PlacedLayer] = []
    weights = 0
    for number, layer in enumerate(described, start=1):
        name, kind = layer.one("name", text, f"number {number}"), layer.one("type", text, "no type")
        layer.rename(f"{file.place}, layer {name!r} ({kind})")
        if kind == "Input" or _in_training_only(layer):
            layer.ignore_all()
            continue
        placed = _placed(layer, name, kind, shapes, {other.name: other.key for other in found})
        weights += sum(prod(array) for array, _ in placed.layer.arrays)
        if weights > MOST_WEIGHTS:
            raise layer.error(f"with it, the network has {weights:,} weights; {MOST_WEIGHTS:,} are the most")
        shapes[placed.makes] = _shape_behind(layer, placed, [shapes[read] for read in placed.reads])
        unread = {*unread.difference(placed.reads), placed.makes}
        found.append(placed)
    if len(unread) != 1 or not found:
        raise file.error(
            f"expected one output, which no layer reads, got {len(unread)}: {', '.join(sorted(unread)[:5])}"
        )
    last = found[-1]
    output = last.makes
    if isinstance(last.layer.module, nn.Softmax):
        found, output = found[:-1], last.reads[0]
    if prod(shapes[output][1:]) != 1:
        raise file.error(f"expected one score for each class, got {output!r} of shape {shapes[output]}")
    return found, output, shapes[output][0]


def _in_training_only(layer: Fields) -> bool:
    included = [rule.one("phase", PHASES, "TEST") for rule in layer.parts("include")]
    excluded = [rule.one("phase", PHASES, "TRAIN") for rule in layer.parts("exclude")]
    return (bool(included) and "TEST" not in included) or "TEST" in excluded


def _placed(layer: Fields, name: str, kind: str, shapes: Mapping[str, Shape], keys: Mapping[str, str]) -> PlacedLayer:
    """One layer, checked."""
    if kind not in LAYERS:
        hint = "; a train_val.prototxt is no deploy.prototxt" if kind in _TRAINING else ""
        raise layer.error(unknown("type of layer", kind, sorted(LAYERS)) + hint)
    if name in keys:
        raise layer.error("another layer has the same name")
    reads, makes = layer.all("bottom", text), layer.all("top", text)
    for read in reads:
        if read not in shapes:
            raise layer.error(unknown("input (bottom)", read, list(shapes)[-5:]) + "; layers stand in order")
    if len(makes) != 1:
        raise layer.error(f"expected one output (top), got {len(makes)}")
    layer.ignore("name", "type", *_IGNORED)
    inputs = [shapes[read] for read in reads]
    try:
        built = LAYERS[kind](layer, inputs)
    except (RuntimeError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise layer.error(f"it cannot be built for inputs of {listed(inputs)}: {_first_line(error)}") from error
    layer.finish()
    key = name.replace(".", "_") or "_"
    while key in keys.values() or hasattr(nn.Module, key) or key in _OWN:
        key += "_"
    return PlacedLayer(name, key, built, tuple(reads), makes[0])


def _shape_behind(layer: Fields, placed: PlacedLayer, shapes: Sequence[Shape]) -> Shape:
    """Shape of the layer's output; nothing is computed."""
    try:
        inputs = [torch.empty(1, *shape, device=META) for shape in shapes]
        shape = tuple(placed.layer.module.eval()(*inputs).shape[1:])
    except (RuntimeError, ValueError, OverflowError) as error:
        raise layer.error(f"it does not fit inputs of {listed(shapes)}: {_first_line(error)}") from error
    if not 0 < prod(shape) <= MOST_VALUES:
        raise layer.error(f"its output would be {shape}; {MOST_VALUES:,} values are the most, 1 the least")
    return shape


def _stored(placed: PlacedLayer, blobs: Mapping[str, list[Blob]], file: str) -> list[Tensor]:
    """The arrays of one layer, from the file."""
    place = f"{file}: layer {placed.name!r} ({type(placed.layer.module).__name__})"
    if placed.name not in blobs:
        known = list(blobs)[:20]
        raise InputError(f"{unknown('layer of ' + file, placed.name, known)}; do the two files belong together?")
    found, shapes = blobs[placed.name], [shape for shape, _ in placed.layer.arrays]
    if len(found) != len(shapes):
        raise InputError(f"{place} needs {len(shapes)} arrays, got {len(found)}")
    for number, (blob, shape) in enumerate(zip(found, shapes, strict=True), start=1):
        if not blob.fits(shape):
            raise InputError(f"{place} needs {shape} as array {number}, got {blob.shape}")
    values = [torch.from_numpy(blob.values.astype("float32", copy=True)) for blob in found]
    return [value.reshape(shape) for value, shape in zip(values, shapes, strict=True)]


def _random(placed: PlacedLayer) -> list[Tensor]:
    """Arrays that keep values about as large as they came."""
    draws = addressed(seed=0, image=placed.name, purpose="weights")
    found = []
    for shape, start in placed.layer.arrays:
        if start == "weights":
            values = torch.from_numpy(draws.standard_normal(shape, dtype=np.float32))
            found.append(values.mul_((2 / max(1, prod(shape[1:]))) ** 0.5))
        else:
            found.append(torch.zeros(shape) if start == "zeros" else torch.ones(shape))
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
