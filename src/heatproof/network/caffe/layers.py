"""Caffe's layers as torch modules: what each type says, and which arrays of a ``.caffemodel`` it needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from heatproof.network.caffe.fields import Fields, choice, number, whole
from heatproof.network.caffe.modules import Combination, InnerProduct, PerChannel, WithinChannelNorm

Shape = tuple[int, ...]  # of a value, for one image
Array = tuple[Shape, Literal["weights", "zeros", "ones"]]  # and what stands for it where there is none


@dataclass(frozen=True)
class Layer:
    """A layer of Caffe without its numbers.

    Attributes:
        module: on the device ``meta``.
        arrays: in the ``.caffemodel``, in order.
        state: the module's tensors by name, from these arrays.
    """

    module: nn.Module
    arrays: tuple[Array, ...] = ()
    state: Callable[..., dict[str, Tensor]] = dict


Builder = Callable[[Fields, Sequence[Shape]], Layer]
F = TypeVar("F", bound=Builder)

LAYERS: dict[str, Builder] = {}
"""How a layer is built from what the text says and the shapes of its inputs, by type (old files have capitals)."""

META = torch.device("meta")
KERNEL, STRIDE, PADDING = ("kernel_h", "kernel_w"), ("stride_h", "stride_w"), ("pad_h", "pad_w")


def layer(*types: str) -> Callable[[F], F]:
    """Decorator: the function builds layers of these types."""

    def register(builder: F) -> F:
        LAYERS.update(dict.fromkeys(types, builder))
        return builder

    return register


@layer("Convolution", "CONVOLUTION")
def convolution(given: Fields, shapes: Sequence[Shape]) -> Layer:
    """A convolution with groups, strides, padding and dilation."""
    channels, _, _ = map_of(given, shapes)
    said = given.part("convolution_param", "weight_filler", "bias_filler", "engine", "force_nd_im2col")
    fixed(said, "axis", 1)
    outputs, groups = said.one("num_output", whole(1)), said.one("group", whole(1), 1)
    bias = said.flag("bias_term", True)
    if channels % groups or outputs % groups:
        raise given.error(f"group = {groups} must divide its {channels} input and {outputs} output channels")
    kernel = pair(said, "kernel_size", KERNEL, None, least=1)
    stride = pair(said, "stride", STRIDE, 1, least=1)
    padding = pair(said, "pad", PADDING, 0)
    dilation = pair(said, "dilation", (), 1, least=1)
    module = nn.Conv2d(channels, outputs, kernel, stride, padding, dilation, groups, bias, device=META)
    return _weighted(module, (outputs, channels // groups, *kernel), bias)


@layer("InnerProduct", "INNER_PRODUCT")
def inner_product(given: Fields, shapes: Sequence[Shape]) -> Layer:
    """A dense layer over all values."""
    shape = input_of(given, shapes)
    said = given.part("inner_product_param", "weight_filler", "bias_filler")
    fixed(said, "axis", 1)
    inputs, outputs, bias = prod(shape), said.one("num_output", whole(1)), said.flag("bias_term", True)
    transposed = said.flag("transpose", False)
    module = InnerProduct(inputs, outputs, bias, device=META)
    return _weighted(module, (inputs, outputs) if transposed else (outputs, inputs), bias, transposed=transposed)


@layer("Pooling", "POOLING")
def pooling(given: Fields, shapes: Sequence[Shape]) -> Layer:
    """The maximum or the mean, with Caffe's rounding: up, but no window may begin in the padding behind the map.

    Means at a border count the padding, but not what lies behind it.
    """
    _, *size = map_of(given, shapes)
    said = given.part("pooling_param", "engine")
    mean = said.one("pool", choice("MAX", "AVE"), "MAX") == "AVE"
    up = said.one("round_mode", choice("CEIL", "FLOOR"), "CEIL") == "CEIL"
    if said.flag("global_pooling", False):
        if any([said.all(name, whole()) for name in ("kernel_size", *KERNEL)]):
            raise given.error("global_pooling takes the whole map, so kernel_size must be left out")
        said.ignore("stride", "pad")
        return Layer(nn.AdaptiveAvgPool2d(1) if mean else nn.AdaptiveMaxPool2d(1))
    kernel = pair(said, "kernel_size", KERNEL, None, least=1)
    stride = pair(said, "stride", STRIDE, 1, least=1)
    padding = pair(said, "pad", PADDING, 0)
    for length, side, step, margin in zip(size, kernel, stride, padding, strict=True):
        _check_window(given, length, side, step, margin, up=up)
    if mean:
        return Layer(nn.AvgPool2d(kernel, stride, padding, ceil_mode=up, count_include_pad=True))
    return Layer(nn.MaxPool2d(kernel, stride, padding, ceil_mode=up))


@layer("LRN", "LRN")
def local_response_norm(given: Fields, shapes: Sequence[Shape]) -> Layer:
    """Local response normalisation, across channels or within them."""
    map_of(given, shapes)
    said = given.part("lrn_param", "engine")
    size, k = said.one("local_size", whole(1), 5), said.one("k", number, 1.0)
    alpha, beta = said.one("alpha", number, 1.0), said.one("beta", number, 0.75)
    within = said.one("norm_region", choice("ACROSS_CHANNELS", "WITHIN_CHANNEL"), "ACROSS_CHANNELS") == "WITHIN_CHANNEL"
    if size % 2 == 0 or min(alpha, beta) < 0 or k <= 0:
        raise given.error(
            f"lrn_param needs an odd local_size, alpha and beta from 0 on, and k above 0, got {size}, {alpha}, "
            f"{beta}, {k}"
        )
    # within channels, Caffe takes 1 for k whatever the file says
    return Layer(WithinChannelNorm(size, alpha, beta) if within else nn.LocalResponseNorm(size, alpha, beta, k))


@layer("ReLU", "RELU")
def relu(given: Fields, shapes: Sequence[Shape]) -> Layer:
    """max(0, x), or a leaky one."""
    input_of(given, shapes)
    said = given.part("relu_param", "engine")
    slope = said.one("negative_slope", number, 0.0)
    return Layer(nn.LeakyReLU(slope) if slope else nn.ReLU())


def _plain(module: Callable[[], nn.Module], ignored: str) -> Builder:
    """A layer of which the file says nothing that matters."""

    def build(given: Fields, shapes: Sequence[Shape]) -> Layer:
        input_of(given, shapes)
        given.ignore(ignored)
        return Layer(module())

    return build


layer("Sigmoid", "SIGMOID")(_plain(nn.Sigmoid, "sigmoid_param"))
layer("TanH", "TANH")(_plain(nn.Tanh, "tanh_param"))
layer("Dropout", "DROPOUT")(_plain(nn.Identity, "dropout_param"))  # Caffe scales in training


@layer("Softmax", "SOFTMAX")
def softmax(given: Fields, shapes: Sequence[Shape]) -> Layer:
    """Probabilities over the channels; at the end of a network it is left out."""
    input_of(given, shapes)
    said = given.part("softmax_param", "engine")
    fixed(said, "axis", 1)
    return Layer(nn.Softmax(dim=1))


@layer("Flatten", "FLATTEN")
def flatten(given: Fields, shapes: Sequence[Shape]) -> Layer:
    """All values in a row."""
    input_of(given, shapes)
    said = given.part("flatten_param")
    fixed(said, "axis", 1)
    if said.one("end_axis", number, -1.0) != -1:
        raise given.error("flatten_param.end_axis must be -1")
    return Layer(nn.Flatten())


@layer("Concat", "CONCAT")
def concat(given: Fields, shapes: Sequence[Shape]) -> Layer:
    """Channels side by side."""
    said = given.part("concat_param")
    fixed(said, "axis", 1)
    fixed(said, "concat_dim", 1)
    if len({shape[1:] for shape in shapes}) != 1:
        raise given.error(f"its inputs must have the same size but for their channels, got {listed(shapes)}")
    return Layer(Combination("CONCAT"))


@layer("Eltwise", "ELTWISE")
def eltwise(given: Fields, shapes: Sequence[Shape]) -> Layer:
    """The sum (with coefficients), the product or the maximum of several maps."""
    if len(shapes) < 2 or len(set(shapes)) > 1:
        raise given.error(f"it needs two or more inputs of the same shape, got {listed(shapes)}")
    said = given.part("eltwise_param", "stable_prod_grad")
    kind = said.one("operation", choice("PROD", "SUM", "MAX"), "SUM")
    coefficients = said.all("coeff", number)
    if coefficients and (kind != "SUM" or len(coefficients) != len(shapes)):
        raise given.error(f"coeff must be one number for each of the {len(shapes)} inputs of a SUM")
    return Layer(Combination(kind, coefficients))


@layer("BatchNorm")
def batch_norm(given: Fields, shapes: Sequence[Shape]) -> Layer:
    """Subtracts a mean and divides by a standard deviation, per channel; the file holds both times a third number."""
    channels = input_of(given, shapes)[0]
    said = given.part("batch_norm_param", "moving_average_fraction", "engine")
    epsilon = said.one("eps", number, 1e-5)
    if not said.flag("use_global_stats", True):
        raise given.error(
            "use_global_stats: false would take the statistics of the batch; a deploy file has fixed ones"
        )
    if epsilon <= 0:
        raise given.error(f"batch_norm_param.eps must be above 0, got {epsilon}")

    def state(mean: Tensor, variance: Tensor, times: Tensor) -> dict[str, Tensor]:
        factor = 0 if float(times) == 0 else 1 / times
        return {"mean": mean * factor, "variance": variance * factor, "weight": torch.ones_like(mean), "bias": mean * 0}

    arrays: tuple[Array, ...] = (((channels,), "zeros"), ((channels,), "ones"), ((1,), "ones"))
    return Layer(PerChannel(channels, epsilon), arrays, state)


@layer("Scale")
def scale(given: Fields, shapes: Sequence[Shape]) -> Layer:
    """A factor per channel, and a summand; built as a batch norm without statistics, which can be folded."""
    channels = input_of(given, shapes)[0]
    said = given.part("scale_param", "filler", "bias_filler")
    fixed(said, "axis", 1)
    fixed(said, "num_axes", 1)
    bias = said.flag("bias_term", False)

    def state(weight: Tensor, *rest: Tensor) -> dict[str, Tensor]:
        zeros = torch.zeros_like(weight)
        return {"mean": zeros, "variance": zeros + 1, "weight": weight, "bias": rest[0] if rest else zeros}

    arrays: tuple[Array, ...] = (((channels,), "ones"), ((channels,), "zeros"))
    return Layer(PerChannel(channels, 0.0), arrays[: 1 + bias], state)


def input_of(layer: Fields, shapes: Sequence[Shape]) -> Shape:
    """Shape of the one input."""
    if len(shapes) != 1:
        raise layer.error(f"it must have 1 input (bottom), got {len(shapes)}")
    return shapes[0]


def map_of(layer: Fields, shapes: Sequence[Shape]) -> Shape:
    """Shape (C, H, W) of the one input."""
    shape = input_of(layer, shapes)
    if len(shape) != 3:
        raise layer.error(f"its input must be a map (channels, height, width), got {shape}")
    return shape


def fixed(said: Fields, name: str, value: int) -> None:
    """A field that heatproof can take at one value only."""
    found = said.one(name, number, float(value))
    if found != value:
        raise said.error(f"{name} must be {value}, got {found:g}; other values are not supported")


def pair(said: Fields, name: str, sides: Sequence[str], default: int | None, least: int = 0) -> tuple[int, int]:
    """Along the height and along the width: one number for both, one for each, or two fields."""
    both = said.all(name, whole(least))
    tall, wide = [said.all(side, whole(least)) for side in sides] or [[], []]
    if len(both) > 2 or (both and (tall or wide)) or bool(tall) != bool(wide):
        raise said.error(f"{name} must be one or two numbers, or {' and '.join(sides)}, each once")
    if tall:
        return tall[-1], wide[-1]
    if both:
        return both[0], both[-1]
    if default is None:
        raise said.error(f"{name} is missing")
    return default, default


def listed(shapes: Sequence[Shape]) -> str:
    """Shapes, for a message."""
    return ", ".join(map(str, shapes)) or "none"


def _weighted(module: nn.Module, shape: Shape, bias: bool, *, transposed: bool = False) -> Layer:
    """A layer with weights of this shape and, perhaps, biases."""

    def state(weight: Tensor, *rest: Tensor) -> dict[str, Tensor]:
        return {"weight": weight.t().contiguous() if transposed else weight, **({"bias": rest[0]} if rest else {})}

    outputs = shape[1] if transposed else shape[0]
    arrays: tuple[Array, ...] = ((shape, "weights"), ((outputs,), "zeros"))
    return Layer(module, arrays[: 1 + bias], state)


def _check_window(given: Fields, length: int, side: int, step: int, margin: int, *, up: bool) -> None:
    """Refuses windows that see nothing of the map, where Caffe's own values mean nothing."""
    if margin * 2 > side:
        raise given.error(f"pad = {margin} must be at most half of kernel_size = {side}")
    steps = (length + 2 * margin - side) / step
    if steps < 0 and (not up or ceil(steps) < 0):
        raise given.error(f"kernel_size = {side} is larger than its input with padding, {length + 2 * margin}")
    if up and margin == 0 and ceil(steps) * step >= length:
        raise given.error(
            f"with stride = {step} above kernel_size = {side}, the last window lies outside the map of {length}"
        )
