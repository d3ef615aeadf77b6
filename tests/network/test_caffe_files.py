"""Files of Caffe that are broken, cut, hostile, or do not belong together: always one message, never more memory."""

import re
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
import torch
from caffe_files import blob, caffemodel, conv, dense, field, head, layer, pool, relu, varint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import heatproof as hp
from heatproof.errors import InputError
from heatproof.network.caffe import read_mean, read_network
from heatproof.network.caffe.blobs import read_blobs
from heatproof.network.caffe.text import parse

TEXT = "".join([
    head(6, 6), conv("conv1", "data", 2, 3), relu("relu1", "conv1"),
    pool("pool1", "conv1", "pool: MAX kernel_size: 2 stride: 2"), dense("fc", "pool1", 3), layer("p", "Softmax", "fc"),
])  # fmt: skip
ARRAYS = {
    "conv1": [np.ones((2, 3, 3, 3), np.float32), np.zeros(2, np.float32)],
    "fc": [np.ones((3, 8), np.float32), np.zeros(3, np.float32)],
}
anything = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(folder, text=TEXT, content=None):
    (folder / "deploy.prototxt").write_text(text)
    if content is not None:
        (folder / "net.caffemodel").write_bytes(content)
    return read_network(folder / "deploy.prototxt", None if content is None else folder / "net.caffemodel")


def changed(**arrays):
    return caffemodel({**ARRAYS, **arrays})


# --- the description


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            TEXT.replace("num_output: 2", "num_outputs: 2"),
            r"layer 'conv1' \(Convolution\): convolution_param\.num_output is",
        ),
        (TEXT.replace("kernel_size: 3", "kernal_size: 3"), r"layer 'conv1' \(Convolution\): kernel_size is missing"),
        (
            TEXT.replace("kernel_size: 3", "kernel_size: 3 padd: 1"),
            r"layer 'conv1' \(Convolution\): unknown field of convolution_param: 'padd'; did you mean 'pad'\?",
        ),
        (
            TEXT.replace('"ReLU"', '"ReLu"'),
            r"layer 'relu1' \(ReLu\): unknown type of layer 'ReLu'; did you mean 'ReLU'\?",
        ),
        (TEXT.replace('"Softmax"', '"SoftmaxWithLoss"'), r"a train_val\.prototxt is no deploy\.prototxt"),
        (
            TEXT.replace('bottom: "pool1"', 'bottom: "pool2"'),
            r"layer 'fc' .*unknown input \(bottom\) 'pool2'; did you mean",
        ),
        (TEXT.replace("num_output: 2", "num_output: -2"), r"num_output must be a whole number from 1 on, got -2"),
        (TEXT.replace("num_output: 2", "num_output: 2.5"), r"num_output must be a whole number from 1 on, got 2\.5"),
        (TEXT.replace("num_output: 2", "num_output: MANY"), r"num_output must be a whole number from 1 on, got 'MANY'"),
        (TEXT.replace("num_output: 2", "num_output: 3 group: 2"), r"group = 2 must divide its 3 input and 3 output"),
        (TEXT.replace('top: "pool1"', ""), r"layer 'pool1' \(Pooling\): expected one output \(top\), got 0"),
        (TEXT.replace('name: "pool1"', 'name: "conv1"'), r"layer 'conv1' \(Pooling\): another layer has the same name"),
        (TEXT.replace("kernel_size: 3", "kernel_size: 9"), r"layer 'conv1' \(Convolution\): it does not fit inputs of"),
        (TEXT.replace('input: "data"', ""), r"expected one input with four sizes .* got 0 inputs"),
        (TEXT.replace("dim: 10 dim: 3", "dim: 3"), r"expected one input with four sizes .* got 1 inputs with sizes"),
        (TEXT.replace("dim: 10 dim: 3", "dim: 10 dim: 4"), r"expected images with 3 channels \(or 1\)"),
        (TEXT + dense("more", "pool1", 2), r"expected one output, which no layer reads, got 2: more, p"),
        (
            head(6, 6) + conv("conv1", "data", 2, 3),
            r"expected one score for each class, got 'conv1' of shape \(2, 4, 4\)",
        ),
        (head(6, 6), r"expected one output"),
        ("", r"expected one input"),
        (TEXT + "}", r"line \d+: expected a name, got '}'"),
        (TEXT + "layer {", r"line \d+: expected a name or '}', got 'the end'"),
        (TEXT + "a: {" * 40, r"messages lie more than 16 deep"),
        (TEXT + "name 3", r"expected ':' or '{', got '3'"),
        (TEXT + "name: 'open", r"expected a name, a number, a text or a bracket, got \"'\""),
        (TEXT + "name: " + "9" * 9999, r"expected a number, got '999"),
        (TEXT + "nonsense: 3", r"deploy\.prototxt: unknown field of this message: 'nonsense'"),
        (TEXT.replace("layer {", "layer: 3 layer {", 1), r"layer must be a message in brackets, got 3"),
        (
            TEXT.replace("num_output: 2", "num_output: 2 axis: 2"),
            r"axis must be 1, got 2; other values are not supported",
        ),
        (
            head(6, 6) + 'layers { layer { name: "conv1" type: "conv" } bottom: "data" top: "conv1" }',
            r"layer 'number 1' \(no type\): unknown type of layer 'no type'",
        ),
    ],
)
def test_descriptions_that_cannot_be_read_are_told_with_the_layer(text, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith("deploy.prototxt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            TEXT.replace("num_output: 2", "num_output: 2000000000"),
            r"with it, the network has .* weights; 1,073,741,824 are",
        ),
        (TEXT.replace("num_output: 3", "num_output: 2000000000"), r"with it, the network has .* weights"),
        (
            TEXT.replace("dim: 6 dim: 6", "dim: 2000000000 dim: 2000000000"),
            r"layer 'conv1' .*(output would be|does not fit)",
        ),
        (TEXT.replace("kernel_size: 3", "kernel_size: 3 pad: 1000000"), r"layer 'conv1' .*output would be"),
        (TEXT.replace("kernel_size: 3", "kernel_size: 2147483647"), r"layer 'conv1' "),
        (TEXT.replace("kernel_size: 3", "kernel_size: 99999999999"), r"must be a whole number from 1 on"),
    ],
)
def test_sizes_beyond_all_memory_are_refused_before_they_are_allocated(text, message, tmp_path):
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=message):
            read(tmp_path, text)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_maps_that_double_again_and_again_are_refused(tmp_path):
    text = head(64, 64) + layer("c0", "Concat", "data data")
    text += "".join(layer(f"c{i + 1}", "Concat", f"c{i} c{i}") for i in range(60))
    with pytest.raises(InputError, match=r"layer 'c\d+' \(Concat\): its output would be .* values are the most"):
        read(tmp_path, text + dense("fc", "c60", 2))


def test_missing_and_far_too_large_descriptions_are_told(tmp_path):
    with pytest.raises(InputError, match=r"there is no file '.*none\.prototxt'"):
        read_network(tmp_path / "none.prototxt", None)
    (tmp_path / "large.prototxt").write_bytes(b"\n" * (5 * 2**20))
    with pytest.raises(InputError, match=r"large\.prototxt has 5,242,880 bytes; a description of layers has 1,048,576"):
        read_network(tmp_path / "large.prototxt", None)


@anything
@given(text=st.text(alphabet="layer{}<>[]:;,\"'#\\\n 019.e-xMAX_", max_size=60))
def test_any_text_is_parsed_or_told(text):
    with suppress(InputError):
        parse(text)


@anything
@given(data=st.data())
def test_any_damage_to_a_description_is_read_or_told(data, tmp_path):
    """Words left out, doubled, exchanged, or other numbers."""
    words = re.findall(r'"[^"]*"|\w+|\S', TEXT)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(words) - 1))
        kind = data.draw(st.sampled_from(["drop", "double", "other", "number"]))
        if kind == "drop":
            del words[place]
        elif kind == "double":
            words.insert(place, words[place])
        elif kind == "other":
            words[place] = data.draw(st.sampled_from(words))
        else:
            words[place] = data.draw(st.sampled_from(["0", "-1", "3", "1e9", "4294967296", "nan", '""', "{", "MAX"]))
    with suppress(InputError):
        network = read(tmp_path, " ".join(words))
        network(torch.zeros(1, *network.input_shape))


# --- the weights


def test_whole_files_are_read(tmp_path):
    assert read(tmp_path, content=caffemodel(ARRAYS))(torch.zeros(1, 3, 6, 6)).shape == (1, 3)


def test_layers_that_the_description_lacks_are_left_out(tmp_path):
    assert read(tmp_path, content=changed(fc9=[np.zeros((7, 7), np.float32)])).classes == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            changed(fc=[np.ones((3, 9), np.float32), ARRAYS["fc"][1]]),
            r"layer 'fc' \(InnerProduct\) needs \(3, 8\) as array 1, got \(3, 9\)",
        ),
        (
            changed(fc=[ARRAYS["fc"][0].T, ARRAYS["fc"][1]]),
            r"layer 'fc' \(InnerProduct\) needs \(3, 8\) as array 1, got \(8, 3\)",
        ),
        (changed(fc=ARRAYS["fc"][:1]), r"layer 'fc' \(InnerProduct\) needs 2 arrays, got 1"),
        (changed(conv1=[*ARRAYS["conv1"], np.zeros(2, np.float32)]), r"layer 'conv1' \(Conv2d\) needs 2 arrays, got 3"),
        (
            caffemodel({"conv1": ARRAYS["conv1"], "fc7": ARRAYS["fc"]}),
            r"unknown layer of net\.caffemodel 'fc'; did you mean 'fc7'\? known: conv1, fc7; do the two files belong",
        ),
        (b"", r"net\.caffemodel is not a complete \.caffemodel: it is empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), r"it is an HDF5 file; Caffe's upgrade_net_proto_binary writes the other"),
        (b"<!DOCTYPE html><html>not found</html>", r"net\.caffemodel is not a complete \.caffemodel: "),
        (b"version https://git-lfs.github.com/spec/v1\n", r"net\.caffemodel is not a complete \.caffemodel: "),
        (bytes(100), r"a field has the number 0"),
        (b"\xff" * 100, r"a number has more than ten bytes"),
        (field(1, b"a name only"), r"net\.caffemodel is no \.caffemodel with weights: no layer in it has any"),
        (field(2, field(1, b"\x0a\x05conv1")), r"layer 'without a name': it has Caffe's first form \(of 2013\)"),
        (
            field(100, field(1, b"c") + field(7, field(7, field(1, varint(2**62))))),
            r"layer 'c': an array .* should hold",
        ),
        (field(100, field(1, b"c") + field(7, field(7, field(1, b"\x00")))), r"layer 'c': an array \(0,\) should hold"),
        (
            field(100, field(1, b"c") + field(7, field(5, b"abc"))),
            r"layer 'c': field 5 must hold numbers of 4 bytes each",
        ),
        (field(100, field(1, 3)), r"layer 'without a name': field 1 must be a message, a text, or packed numbers"),
        (
            varint(100 << 3 | 2) + varint(2**60) + b"x",
            r"field 100 should have 1152921504606846976 bytes, and 1 are left",
        ),
        (varint(1 << 3 | 3), r"field 1 has the wire type 3"),
        (field(100, field(7, field(7, field(1, bytes(40))))), r"an array has more than 32 sizes"),
        (field(100, field(7, blob(np.ones(2)) + blob(np.ones(2), double=True))), r"numbers of four and of eight bytes"),
        (changed(fc=[np.ones(1)] * 20), r"layer 'fc': it has more than 16 arrays"),
        (caffemodel({str(i): [np.ones(1)] for i in range(10_001)}), r"it has more than 10,000 layers with weights"),
    ],
)
def test_weights_that_do_not_fit_or_are_broken_are_told(content, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read(tmp_path, content=content)


@pytest.mark.parametrize("old", [False, True])
def test_files_cut_anywhere_are_told(old, tmp_path):
    whole = caffemodel(ARRAYS, old=old)
    for kept in range(len(whole)):
        with pytest.raises(InputError, match=r"net\.caffemodel"):
            read(tmp_path, content=whole[:kept])


@anything
@given(data=st.data())
def test_any_damage_to_weights_is_read_or_told(data, tmp_path):
    content = bytearray(caffemodel(ARRAYS, old=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    with suppress(InputError):
        read(tmp_path, content=bytes(content))


@anything
@given(content=st.binary(max_size=80))
def test_any_bytes_are_read_or_told(content, tmp_path):
    with suppress(InputError):
        read(tmp_path, content=content)
    (tmp_path / "m.binaryproto").write_bytes(content)
    with suppress(InputError):
        read_mean(tmp_path / "m.binaryproto")


def test_weights_of_four_sizes_may_have_ones_in_front_only(tmp_path):
    """As Caffe itself compares shapes: (1, 1, 3, 8) is (3, 8), but (3, 8, 1, 1) is not."""
    wrong = [np.ones((3, 8, 1, 1), np.float32), ARRAYS["fc"][1]]
    with pytest.raises(InputError, match=r"layer 'fc' \(InnerProduct\) needs \(3, 8\) as array 1, got \(3, 8, 1, 1\)"):
        read(tmp_path, content=changed(fc=wrong))


def test_numbers_that_are_not_packed_take_little_memory(tmp_path):
    content = field(100, field(1, b"c") + field(7, field(7, field(1, varint(200_000))) + b"\x2d\0\0\x80\x3f" * 200_000))
    (tmp_path / "net.caffemodel").write_bytes(content)
    tracemalloc.start()
    try:
        (found,) = read_blobs(tmp_path / "net.caffemodel")["c"]
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    assert (found.shape, float(found.values.sum())) == ((200_000,), 200_000)


# --- by name


@pytest.fixture
def files(tmp_path):
    (tmp_path / "deploy.prototxt").write_text(TEXT)
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(ARRAYS))
    (tmp_path / "mean.binaryproto").write_bytes(blob(np.array([1, 2, 3], np.float32).reshape(1, 3, 1, 1)))
    (tmp_path / "classes.txt").write_text(
        "n01440764 tench, Tinca tinca\nn01443537 goldfish\nn01484850 great white shark\n"
    )
    return tmp_path


def test_network_with_mean_and_names(files):
    network = hp.load_network(
        f"caffe:{files / 'deploy.prototxt'}",
        weights=files / "net.caffemodel",
        mean=files / "mean.binaryproto",
        classes=files / "classes.txt",
    )
    assert (network.name, network.notes) == ("net", ())
    assert network.classes == ("tench, Tinca tinca", "goldfish", "great white shark")
    found = network.preprocessing
    assert (found.mean, found.channels, found.scale, found.crop) == ((1.0, 2.0, 3.0), "bgr", 255.0, (6, 6))
    blue = torch.zeros(1, 3, 6, 6)
    blue[:, 2] = 1
    torch.testing.assert_close(network.inputs(blue)[0, :, 0, 0], torch.tensor([254.0, -2, -3]))


def test_network_without_mean_and_weights_says_so(files):
    network = hp.load_network(f"caffe:{files / 'deploy.prototxt'}")
    assert network.notes == (
        "net has random weights: its heatmaps explain nothing",
        "no mean was given for net: 104, 117, 123 is subtracted; set another with --mean (mean=…)",
    )
    assert network.fingerprint() == hp.load_network(f"caffe:{files / 'deploy.prototxt'}").fingerprint()
    assert hp.load_network(f"caffe:{files / 'deploy.prototxt'}", weights="none").notes == network.notes


def test_given_preprocessing_and_mean_are_taken(files):
    spec, weights = f"caffe:{files / 'deploy.prototxt'}", files / "net.caffemodel"
    network = hp.load_network(spec, weights=weights, preprocessing="caffe")
    assert (network.preprocessing.crop, network.notes) == (227, ())
    network = hp.load_network(spec, weights=weights, preprocessing="imagenet", mean=(0.4, 0.4, 0.4))
    assert (network.preprocessing.mean, network.preprocessing.scale) == ((0.4, 0.4, 0.4), 1.0)


@pytest.mark.parametrize(
    ("size", "resize", "crop"),
    [((227, 227), (256, 256), (227, 227)), ((32, 32), (32, 32), (32, 32)), ((299, 299), (299, 299), (299, 299))],
)
def test_pictures_are_warped_and_cropped(size, resize, crop, tmp_path):
    text = head(*size) + pool("p", "data", "pool: AVE global_pooling: true") + dense("fc", "p", 3)
    (tmp_path / "n.prototxt").write_text(text)
    found = hp.load_network(f"caffe:{tmp_path / 'n.prototxt'}").preprocessing
    assert (found.resize, found.crop) == (resize, crop)


def test_grey_networks_have_one_channel(tmp_path):
    (tmp_path / "lenet.prototxt").write_text(head(8, 8, channels=1) + dense("ip", "data", 3))
    network = hp.load_network(f"caffe:{tmp_path / 'lenet.prototxt'}")
    assert (network.preprocessing.mean, network.preprocessing.channels) == ((0.0,), "rgb")
    assert network.logits(torch.rand(2, 1, 8, 8)).shape == (2, 3)


def test_images_of_another_size_are_told(files):
    network = hp.load_network(f"caffe:{files / 'deploy.prototxt'}", weights=files / "net.caffemodel")
    with pytest.raises(InputError, match=r"net takes images \(3, 6, 6\), got \(3, 8, 6\); set the crop"):
        network.logits(torch.rand(1, 3, 8, 6))
    with pytest.raises(InputError, match=r"net takes images \(3, 6, 6\), got \(3, 8, 6\)"):
        hp.explain(network, torch.rand(1, 3, 8, 6), "lrp-epsilon")


def test_plain_names_are_left_as_they_are(files):
    (files / "plain.txt").write_text("Boeing 737\n/b/bar 1\n\n  n1 \n")
    network = hp.load_network(f"caffe:{files / 'deploy.prototxt'}", classes=str(files / "plain.txt"))
    assert network.classes == ("Boeing 737", "bar", "n1")


def test_names_of_other_classes_are_told(files):
    (files / "two.txt").write_text("a\nb\n")
    with pytest.raises(InputError, match="the network has 3 classes, got names of 2"):
        hp.load_network(f"caffe:{files / 'deploy.prototxt'}", classes=files / "two.txt")


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (
            "caffe:nowhere.prototxt",
            {},
            r"there is no file 'nowhere\.prototxt'; 'heatproof fetch' lists networks of Caffe",
        ),
        ("caffe:", {}, r"unknown network 'caffe:'"),
        (None, {"weights": "none.caffemodel"}, r"weights: there is no file 'none\.caffemodel'"),
        (None, {"mean": "none.binaryproto"}, r"mean: there is no file 'none\.binaryproto'"),
        (None, {"mean": (1.0, 2.0)}, r"expected as many values of mean as of std"),
        (None, {"classes": "none.txt"}, r"names of classes: there is no file 'none\.txt'"),
    ],
)
def test_files_that_are_not_there_are_named(spec, options, message, files):
    with pytest.raises(InputError, match=message):
        hp.load_network(spec or f"caffe:{files / 'deploy.prototxt'}", **options)
