"""Caffe's files, written by hand: a ``.caffemodel`` of the old and the new form, and texts of small networks."""

import re
import struct

import numpy as np

OLD_TYPES = {
    "Convolution": "CONVOLUTION", "Pooling": "POOLING", "LRN": "LRN", "ReLU": "RELU", "InnerProduct": "INNER_PRODUCT",
    "Dropout": "DROPOUT", "Softmax": "SOFTMAX", "Concat": "CONCAT", "Eltwise": "ELTWISE", "Flatten": "FLATTEN",
}  # fmt: skip


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number, value):
    """A whole number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def blob(values, *, old=False, double=False, packed=True):
    """An array; the old form has four sizes, and a dense layer's weights are (1, 1, outputs, inputs) there."""
    values = np.asarray(values)
    if old:
        four = (1,) * (4 - values.ndim) + values.shape
        head = b"".join(field(number, size) for number, size in enumerate(four, start=1))
    else:
        head = field(7, field(1, b"".join(map(varint, values.shape))))
    if double:
        return head + field(8, values.astype("<f8").tobytes())
    if packed:
        return head + field(5, values.astype("<f4").tobytes())
    return head + b"".join(varint(5 << 3 | 5) + struct.pack("<f", value) for value in values.ravel())


def caffemodel(arrays, *, old=False, **options):
    """The file's bytes; ``arrays`` are lists by name of layer."""
    name, blobs, layer = (4, 6, 2) if old else (1, 7, 100)
    parts = [field(1, b"a network")]
    for layer_name, values in arrays.items():
        inner = field(name, layer_name.encode()) + field(5 if old else 2, 4 if old else b"Convolution")
        inner += b"".join(field(blobs, blob(value, old=old, **options)) for value in values)
        parts.append(field(layer, inner))
    return b"".join(parts)


def old_form(prototxt):
    """The same network as files of 2014 have it."""
    text = prototxt.replace("layer {", "layers {")
    for new, old in OLD_TYPES.items():
        text = text.replace(f'type: "{new}"', f"type: {old}")
    return re.sub(r"input_shape \{ (.*?) \}", lambda found: found.group(1).replace("dim:", "input_dim:"), text)


def layer(name, kind, bottom, top=None, parameters=""):
    bottoms = " ".join(f'bottom: "{one}"' for one in bottom.split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{top or name}" {parameters} }}\n'


def conv(name, bottom, outputs, kernel, more=""):
    parameters = f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} {more} }}"
    return layer(name, "Convolution", bottom, parameters=f"param {{ lr_mult: 1 }} {parameters}")


def relu(name, bottom):
    return layer(name, "ReLU", bottom, bottom)  # in place


def pool(name, bottom, parameters):
    return layer(name, "Pooling", bottom, parameters=f"pooling_param {{ {parameters} }}")


def norm(name, bottom, parameters="local_size: 5 alpha: 0.0001 beta: 0.75"):
    return layer(name, "LRN", bottom, parameters=f"lrn_param {{ {parameters} }}")


def dense(name, bottom, outputs):
    return layer(name, "InnerProduct", bottom, parameters=f"inner_product_param {{ num_output: {outputs} }}")


def head(height, width, channels=3):
    return f'name: "net"\ninput: "data"\ninput_shape {{ dim: 10 dim: {channels} dim: {height} dim: {width} }}\n'


def caffenet(size=227, widths=(96, 256, 384, 384, 256), units=4096, classes=1000):
    """CaffeNet: pooling before normalisation, two groups, and its real sizes by default."""
    one, two, three, four, five = widths
    strongest = "pool: MAX kernel_size: 3 stride: 2"
    return "".join([
        head(size, size),
        conv("conv1", "data", one, 11, "stride: 4"), relu("relu1", "conv1"),
        pool("pool1", "conv1", strongest), norm("norm1", "pool1"),
        conv("conv2", "norm1", two, 5, "pad: 2 group: 2"), relu("relu2", "conv2"),
        pool("pool2", "conv2", strongest), norm("norm2", "pool2"),
        conv("conv3", "norm2", three, 3, "pad: 1"), relu("relu3", "conv3"),
        conv("conv4", "conv3", four, 3, "pad: 1 group: 2"), relu("relu4", "conv4"),
        conv("conv5", "conv4", five, 3, "pad: 1 group: 2"), relu("relu5", "conv5"),
        pool("pool5", "conv5", strongest),
        dense("fc6", "pool5", units), relu("relu6", "fc6"), layer("drop6", "Dropout", "fc6", "fc6"),
        dense("fc7", "fc6", units), relu("relu7", "fc7"), layer("drop7", "Dropout", "fc7", "fc7"),
        dense("fc8", "fc7", classes), layer("prob", "Softmax", "fc8"),
    ])  # fmt: skip
