"""Files of networks: Caffe's texts and binaries, safetensors, checkpoints of PyTorch."""

import io
import json
import pickle
import sys
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from tests.fuzz.inputs import ODD, ODD_TEXTS, damaged, damaged_text, fuzzed
from tests.reference.caffe_files import blob, caffemodel, conv, dense, field, head, layer, norm, old_form, pool, relu
from torch import nn

from heatproof.network.caffe import read_mean, read_network
from heatproof.network.caffe.blobs import read_blobs
from heatproof.network.weights import load_weights, read_class_names, read_classes, read_weights

TEXT = "".join([
    head(6, 6), conv("conv1", "data", 2, 3), relu("relu1", "conv1"), norm("norm1", "conv1"),
    pool("pool1", "norm1", "pool: MAX kernel_size: 2 stride: 2"), dense("fc", "pool1", 3), layer("p", "Softmax", "fc"),
])  # fmt: skip
ARRAYS = {
    "conv1": [np.ones((2, 3, 3, 3), np.float32), np.zeros(2, np.float32)],
    "fc": [np.ones((3, 8), np.float32), np.zeros(3, np.float32)],
}
MODELS = [caffemodel(ARRAYS), caffemodel(ARRAYS, old=True), caffemodel(ARRAYS, packed=False)]
MEAN = blob(np.ones((3, 2, 2), np.float32))


@pytest.fixture
def _small_networks(monkeypatch):
    """A description may ask for 4 GB of weights, which random ones then take: here for 16 MB."""
    network = sys.modules["heatproof.network.caffe.network"]
    monkeypatch.setattr(network, "MOST_WEIGHTS", 2**22)
    monkeypatch.setattr(network, "MOST_VALUES", 2**22)


@pytest.mark.usefixtures("_small_networks")
@fuzzed(200)
@given(data=st.data())
def test_damaged_prototxt(judge, data):
    text = data.draw(damaged_text(data.draw(st.sampled_from([TEXT, old_form(TEXT)])).replace(" ", "\n", 40)))
    path = judge.file(text.encode("utf-8", "surrogatepass"), ".prototxt")
    with judge.judging("prototxt"):
        network = read_network(path, None)
        assert network.classes >= 1
    path.unlink()


TOKENS = st.sampled_from(
    [*TEXT.split(), *ODD_TEXTS, *map(str, ODD), "{", "}", "<", ">", "[", "]", ":", '"', "'", "#", ";"]
)


@fuzzed(200)
@given(text=st.one_of(st.text(max_size=80), st.lists(TOKENS, max_size=40).map(" ".join)))
def test_any_prototxt(judge, text):
    path = judge.file(text.encode("utf-8", "surrogatepass"), ".prototxt")
    with judge.judging("prototxt"):
        read_network(path, None)
    path.unlink()


@pytest.mark.usefixtures("_small_networks")
@fuzzed(200)
@given(data=st.data())
def test_damaged_caffemodel(judge, data):
    text = judge.file(TEXT.encode(), ".prototxt")
    path = judge.file(data.draw(damaged(data.draw(st.sampled_from(MODELS)))), ".caffemodel")
    with judge.judging("caffemodel"):
        read_network(text, path)
    text.unlink()


NUMBERS = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from(ODD))
MESSAGES = st.recursive(
    st.binary(max_size=12),
    lambda inner: st.lists(
        st.builds(field, st.sampled_from([1, 2, 4, 5, 6, 7, 8, 100]), st.one_of(NUMBERS, inner)), max_size=5
    ).map(b"".join),
    max_leaves=12,
)


@fuzzed(200)
@given(content=MESSAGES, mean=st.booleans())
def test_any_wire(judge, content, mean):
    path = judge.file(content, ".binaryproto" if mean else ".caffemodel")
    with judge.judging("wire bytes"):
        assert read_mean(path) if mean else read_blobs(path)


@fuzzed(150)
@given(content=damaged(MEAN))
def test_damaged_means(judge, content):
    path = judge.file(content, ".binaryproto")
    with judge.judging("wire bytes"):
        assert all(map(np.isfinite, read_mean(path)))


# --- weights


def made():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.Linear(2, 3))


def checkpoint(stored, **options):
    file = io.BytesIO()
    torch.save(stored, file, **options)
    return file.getvalue()


with torch.random.fork_rng():
    STATE = made().state_dict()
SAFE = save(STATE, {"classes": json.dumps(["cat", "dog", "owl"])})
NEW = checkpoint({"state_dict": STATE, "epoch": 3})
OLD = checkpoint(STATE, _use_new_zipfile_serialization=False)


def load(judge, content, ending, kind):
    path = judge.file(content, ending)
    with judge.judging(kind):
        weights = read_weights(path)
        read_classes(path)
        with torch.random.fork_rng():
            load_weights(made(), weights, path.name)
    path.unlink()


def test_the_seeds_are_weights(judge):
    for content, ending in [(SAFE, ".safetensors"), (NEW, ".pth"), (OLD, ".pth"), (repacked(inside()), ".pth")]:
        assert read_weights(judge.file(content, ending)).keys() == STATE.keys()


@fuzzed(300)
@given(content=damaged(SAFE))
def test_damaged_safetensors(judge, content):
    load(judge, content, ".safetensors", "safetensors")


HEADERS = st.dictionaries(
    st.sampled_from([*STATE, "__metadata__", *ODD_TEXTS[:12]]),
    st.one_of(
        st.fixed_dictionaries(
            {
                "dtype": st.sampled_from(["F32", "F64", "BF16", "I64", "BOOL", "F8_E4M3", "C64", "F4", "?", ""]),
                "shape": st.lists(NUMBERS, max_size=4),
                "data_offsets": st.lists(NUMBERS, max_size=3),
            }
        ),
        st.dictionaries(st.sampled_from(["classes", "a"]), st.one_of(st.sampled_from(ODD_TEXTS), NUMBERS), max_size=2),
        st.recursive(st.none() | NUMBERS, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
    ),
    max_size=4,
)


@fuzzed(300)
@given(header=HEADERS, data=st.binary(max_size=64), length=st.one_of(st.none(), NUMBERS))
def test_any_header_of_safetensors(judge, header, data, length):
    text = json.dumps(header).encode()
    size = len(text) if length is None else length % 2**64
    load(judge, size.to_bytes(8, "little") + text + data, ".safetensors", "safetensors")


def inside():
    """The entries of a checkpoint's archive."""
    with zipfile.ZipFile(io.BytesIO(NEW)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


@fuzzed(300)
@given(data=st.data())
def test_damaged_checkpoints(judge, data):
    """The archive as it is, one whose checksums fit, and the form without an archive."""
    form = data.draw(st.sampled_from(["new", "old", "inside", "inside"]))
    if form == "inside":
        entries = inside()
        name = data.draw(st.sampled_from(sorted(entries)))
        content = repacked({**entries, name: data.draw(damaged(entries[name]))})
    else:
        content = data.draw(damaged(NEW if form == "new" else OLD))
    load(judge, content, ".pth", "checkpoints of PyTorch")


THINGS = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=5), st.binary(max_size=5), st.just(torch.ones(2))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*STATE, "state_dict", "model"]), inner, max_size=3),
    ),
    max_leaves=8,
)


@fuzzed(200)
@given(stored=THINGS, form=st.sampled_from(["new", "old", "pickle"]))
def test_checkpoints_of_anything(judge, stored, form):
    if form == "pickle":
        content = pickle.dumps(stored)
    else:
        content = checkpoint(stored, _use_new_zipfile_serialization=form == "new")
    load(judge, content, ".pth", "checkpoints of PyTorch")


@fuzzed(200)
@given(content=st.one_of(st.binary(max_size=80), damaged(b"/a/airfield 0\nn01440764 tench, Tinca tinca\nplain\n")))
def test_names_of_classes(judge, content):
    path = judge.file(content, ".txt")
    with judge.judging("names of classes"):
        assert read_class_names(path)
