"""Networks that are made to run code, to lead elsewhere, or to take memory or time before they are called."""

# ruff: noqa: E501 - tables of bytes are read line by line

import io
import json
import os
import shutil
import struct
import warnings
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from heatproof.errors import InputError
from heatproof.network.formats.configuration import check_config, no_larger_than
from heatproof.network.formats.huggingface import read_classifier
from heatproof.network.formats.onnx import read_onnx
from heatproof.network.formats.scripts import read_script

IMAGES = torch.ones(2, 3, 8, 8)


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images):
        return self.conv(images).mean((2, 3))


def scripted(module, make=torch.jit.script):
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated
        torch.jit.save(make(module().eval() if isinstance(module, type) else module), file)
    with zipfile.ZipFile(file) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


with torch.random.fork_rng():
    SCRIPT = scripted(Small)
(CODE,) = [name for name in SCRIPT if name.endswith(".py") and b"class Small" in SCRIPT[name]]
MODULE = CODE[len("code/") : -len(".py")].replace("/", ".")


def written(path, entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(f"net/{name}", content)
    return path


def saying(*lines):
    """The program with more lines in ``forward``; FILE is a file that none may make."""

    def change(entries, file):
        start, _, end = entries[CODE].decode().rpartition("    return")
        said = "".join(f"    {line}\n" for line in lines).replace("FILE", f'"{file}"')
        return {**entries, CODE: f"{start}{said}    return{end}".encode()}

    return change


def also(method, line):
    """The program with another method, or attribute."""

    def change(entries, file):
        code = entries[CODE].decode().replace("  __buffers__", f"{line}\n  __buffers__" if line else "  __buffers__")
        return {**entries, CODE: (code + method).replace("FILE", f'"{file}"').encode()}

    return change


def objects(content):
    return lambda entries, _: {**entries, "data.pkl": content}


def of_class(name):
    return lambda entries, _: {**entries, "data.pkl": entries["data.pkl"].replace(f"c{MODULE}\nSmall\n".encode(), name)}


HOOK = (
    f"  def hook(self: {MODULE}.Small, i: Tuple[Tensor], o: Tensor) -> Tensor:\n    torch.save(o, FILE)\n    return o\n"
)
STATE = f"  def __setstate__(self: {MODULE}.Small, s: int) -> None:\n    while True:\n      pass\n"
SCRIPTS = {
    "save": (saying("torch.save(images, FILE)"), "it calls 'aten::save'"),
    "save, spaced": (saying("torch . save (images, FILE)"), "it calls 'aten::save'"),
    "save, by getattr": (saying('getattr(torch, "save")(images, FILE)'), "it calls 'aten::save'"),
    "save, of ops": (saying("ops.aten.save(images, FILE)"), "it calls 'aten::save'"),
    "save, of ops by getattr": (saying('getattr(ops.aten, "save")(images, FILE)'), "it calls 'aten::save'|says 'ops'"),
    "save, by getattr of ops": (saying('getattr(getattr(ops, "aten"), "save")(images, FILE)'), "its code says 'ops'"),
    "save, in a hook": (also(HOOK, '  __forward_hooks__ = ["hook", ]'), "its code says '__forward_hooks__'"),
    "from_file": (saying("a = torch.from_file(FILE, True, 9)", "images = torch.add_(images, torch.sum(a))"), None),
    "others' operators": (saying('a = ops.profiler._record_function_enter("a")'), "its code says 'ops'"),
    "others' operators, spaced": (saying("a = ops . cuda . default_stream(0)"), "its code says 'ops'"),
    "pictures": (saying("ops.image.write_file(FILE, images)"), "its code says 'ops'"),
    "another machine": (saying('a = ops.prim.rpc_sync("a", "b")'), "it calls 'prim::rpc_sync'"),
    "printing": (saying('print("a")'), "it calls 'prim::Print'"),
    "a warning that moves the cursor": (saying("torch.warn(chr(27))"), "it holds the text|it calls 'aten::chr'"),
    "the seed of all": (saying("torch.manual_seed(3)"), "it calls 'aten::manual_seed'"),
    "code at loading": (also(STATE, ""), "its code says '__setstate__'"),
    "brackets": (saying(f"a = {'(' * 10**5}1{')' * 10**5}"), "brackets within brackets"),
    "signs": (saying(f"a = {'-' * 10**5}1"), "statements of more than"),
    "types": (lambda e, _: {**e, CODE: e[CODE].replace(b": Tensor", b": " + b"List[" * 10**4 + b"int" + b"]" * 10**4)}, "brackets"),
    "continued lines": (saying("a = 1" + "+\\\n1" * 10**5), "continued lines"),
    "brackets in a comment": (saying('# "', f"a = {'(' * 10**5}", '# "'), "comments"),
    "brackets in a text": (saying('a = """', f'a"b""" + {"(" * 10**5}'), "texts of several lines"),
    "a class of C++": (of_class(b"c__torch__.torch.classes.profiling\n_ScriptProfile\n"), "it holds an object of '__torch__.torch"),
    "a function of Python": (of_class(b"cos\nsystem\n"), r"it holds an object of 'os\.system'"),
    "deep objects": (objects(b"\x80\x02N" + b"\x85" * 10**5 + b"."), "more than 200 deep"),
    "deep lists": (objects(b"\x80\x02" + b"]" * 10**4 + b"a" * (10**4 - 1) + b"."), "more than 200 deep"),
    "a list in itself": (objects(b"\x80\x02]q\0h\0a."), "could hold itself"),
    "objects that are none": (objects(b"\x80\x02a."), "its objects cannot be read"),
    "no end of objects": (objects(b"(" * (2**22 + 1)), "has more than 4,194,304 bytes"),
    "tensors elsewhere": (lambda e, _: {**e, "data.pkl": e["data.pkl"].replace(b"X\x03\0\0\0cpu", b"X\x04\0\0\0meta")}, "must be a plain array"),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_torchscript_does_nothing_but_compute(judge, name):
    change, message = SCRIPTS[name]
    target = judge.folder / "written"
    path = written(judge.folder / "net.torchscript", change(SCRIPT, target))
    with judge.strictly("TorchScript, made up"):
        if message is None:
            with pytest.raises(InputError, match="is refused: it calls"):
                read_script(path)
        else:
            with pytest.raises(InputError, match=message):
                read_script(path)
    assert not target.exists()


@pytest.mark.parametrize("name", ["save, by getattr", "save, in a hook", "save, spaced"])
def test_torch_itself_would_write(judge, name):
    """The oracle of the test above."""
    target = judge.folder / "written"
    path = written(judge.folder / "net.torchscript", SCRIPTS[name][0](SCRIPT, target))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(path)(IMAGES)
    assert target.exists()


def test_what_is_not_needed_of_an_archive_is_left_out(judge):
    path = written(
        judge.folder / "net.torchscript", {**SCRIPT, "model.json": b"{}", "bytecode.pkl": b"junk", "extra/a": b"x"}
    )
    module = read_script(path)[0]
    assert module(IMAGES).shape == (2, 4)


class Looping(nn.Module):
    """What people write: loops, lists, dictionaries, texts, errors, recurrent layers."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)])
        self.recurrent = nn.LSTM(3, 4)

    def forward(self, images):
        found = []
        for layer in self.layers:
            images = layer(images)
        while bool(images.sum() > 0) and len(found) < 3:
            images = images * 0.5 - 1
            found.append(images)
        if images.size(0) > 100:
            raise ValueError(f"too many {len(found)}")
        named = {"images": images}
        assert images.dim() == 4, "four"
        hidden, _ = self.recurrent(named["images"][:, :, None].squeeze(2).mean((2, 3))[None])
        return torch.einsum("bc,bd->bd", hidden[0], hidden[0])


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5", ""]
)
@pytest.mark.parametrize("make", ["script", "trace"])
def test_real_networks_are_read(judge, name, make):
    from torchvision import models

    if make == "trace" and not name:
        pytest.skip("a trace has no loops")
    with torch.random.fork_rng():
        module = (models.get_model(name, weights=None) if name else Looping()).eval()
    images = torch.ones(1, 3, 64, 64)
    entries = scripted(module, torch.jit.script if make == "script" else lambda made: torch.jit.trace(made, images))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = read_script(written(judge.folder / "net.torchscript", entries))[0]
        torch.testing.assert_close(read(images), module(images), rtol=1e-4, atol=1e-4)


# --- Hugging Face

CONFIGS = {
    "code of its own": ({"auto_map": {"AutoConfig": "x.Y"}}, "auto_map"),
    "code of its own, deeper": ({"vision": {"auto_map": {"AutoConfig": "x.Y"}}}, "auto_map"),
    "a kernel of the hub": ({"attn_implementation": "some/kernel"}, "attn_implementation"),
    "a kernel, by its own name": ({"_attn_implementation": "some/kernel"}, "_attn_implementation"),
    "other packages": ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config"),
    "another network": ({"backbone": "resnet50", "use_pretrained_backbone": True}, "backbone"),
    "a path": ({"hidden_act": "../x"}, "could be the name of a file"),
    "an address": ({"tokenizer": "http://host"}, "could be the name of a file"),
    "timm": ({"model_type": "timm_wrapper", "architecture": "hf-hub:x/y", "model_args": {"checkpoint_path": "x.pth"}}, "timm_wrapper"),
    "depth": ({"a": json.loads("[" * 100 + "]" * 100)}, "more than 20 deep"),
    "labels": ({"num_labels": 10**8}, "more than 100,000 labels"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_configurations_that_lead_elsewhere_are_refused(judge, name):
    with judge.strictly("configurations, made up"), pytest.raises(InputError, match=CONFIGS[name][1]):
        check_config(CONFIGS[name][0])


def test_usual_configurations_are_let_through():
    check_config({
        "_name_or_path": "google/vit-base-patch16-224", "architectures": ["ViTForImageClassification"], "hidden_act": "gelu",
        "id2label": {"0": "tench, Tinca tinca"}, "quantization_config": None, "attn_implementation": "sdpa",
        "torch_dtype": "float32", "transformers_version": "4.45.0", "use_mean_pooling": False, "model_type": "vit",
    })  # fmt: skip


def test_networks_larger_than_their_weights_are_not_built(judge, monkeypatch):
    with (
        judge.strictly("configurations, made up"),
        pytest.raises(InputError, match="far more weights"),
        no_larger_than(1000),
    ):
        nn.Linear(10**6, 10**6, device="meta")
    monkeypatch.setitem(no_larger_than.__wrapped__.__globals__, "MOST_MODULES", 100)
    with (
        judge.strictly("configurations, made up"),
        pytest.raises(InputError, match="more than 100 layers"),
        no_larger_than(1000),
    ):
        nn.Sequential(*(nn.ReLU() for _ in range(101)))
    nn.Linear(10**6, 10**6, device="meta")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    made = tmp_path_factory.mktemp("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=16, patch_size=8
    )
    with torch.random.fork_rng():
        transformers.ViTForImageClassification(config).save_pretrained(made)
    return made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: (path / "adapter_config.json").write_text("{}"), "it has an adapter"),
        (lambda path: indexed(path, {"a": "../model.safetensors"}), "expected names of .safetensors files in it"),
        (lambda path: indexed(path, {"a": "/etc/passwd.safetensors"}), "expected names of .safetensors files in it"),
        (lambda path: indexed(path, {"a": 3}), "expected names of .safetensors files in it"),
        (lambda path: indexed(path, [3]), "expected names of .safetensors files in it"),
        (lambda path: (indexed(path, {"a": "p.safetensors"}), os.mkfifo(path / "p.safetensors")), "expected names of"),
        (lambda path: changed(path, num_hidden_layers=10**9), "far more weights|100,000 layers"),
        (lambda path: changed(path, hidden_size=2 * 10**6), "far more weights|cannot|can load"),
    ],
)
def test_folders_that_lead_elsewhere_are_refused(judge, folder, tmp_path, change, message):
    path = tmp_path / "net"
    shutil.copytree(folder, path)
    change(path)
    with judge.strictly("folders of networks, made up"), pytest.raises(InputError, match=message):
        read_classifier(str(path), download=False)


def indexed(path, parts):
    (path / "model.safetensors").rename(path / "part.safetensors")
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))


def changed(path, **options):
    found = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(found | options))


# --- ONNX


def to_onnx(nodes, tensors, **options):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnx2pytorch", reason="onnx2pytorch is not installed")
    make = onnx.helper
    value = make.make_tensor_value_info
    graph = make.make_graph(
        [make.make_node(*node[:3], **node[3]) for node in nodes], "g", [value("x", 1, ["b", 3, 8, 8])],
        [value("y", 1, ["b", "k"])], tensors,
    )  # fmt: skip
    return make.make_model(graph, opset_imports=[make.make_opsetid("", 20), make.make_opsetid("other", 1)], **options)


FLAT = ("Flatten", ["x"], ["y"], {})
BEHIND = [("GlobalAveragePool", ["c"], ["p"], {}), ("Flatten", ["p"], ["y"], {})]


@pytest.mark.parametrize("kind", ["save", "load", "manual_seed", "compile", "ImageDecoder", "RegexFullMatch"])
def test_onnx_calls_none_but_its_own_operations(judge, kind):
    """The converter calls torch's function of that name for what it does not know."""
    domain = {} if kind[0].isupper() else {"domain": "other"}
    content = to_onnx([(kind, ["x"], ["q"], domain), FLAT], []).SerializeToString()
    path = judge.file(content, ".onnx")
    with judge.strictly("ONNX, made up"), pytest.raises(InputError, match=f"it calls '(other::)?{kind}'"):
        read_onnx(path)


def outside(onnx, path, location, **said):
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[4, 3, 3, 3], data_location=onnx.TensorProto.EXTERNAL)
    for key, value in {"location": location, **said}.items():
        tensor.external_data.add(key=key, value=str(value))
    model = to_onnx([("Conv", ["x", "w"], ["c"], {}), *BEHIND], [tensor])
    (path / "net.onnx").write_bytes(model.SerializeToString())
    return path / "net.onnx"


EXTERNAL = {
    "elsewhere": ("../secret", {}, "in its own folder"),
    "absolute": ("/etc/passwd", {}, "in its own folder"),
    "nowhere": ("", {}, "in its own folder"),
    "a folder": ("folder", {}, "which is none"),
    "a pipe": ("pipe", {}, "which is none"),
    "a link": ("link", {}, "got the link"),
    "a link on the way": ("way/secret", {}, "got the link"),
    "a second name": ("hard", {}, "in a plain file of its own folder"),
    "40 GB": ("sparse", {}, "only 108 numbers"),
    "1 GB of them": ("sparse", {"offset": 0, "length": 2**30}, "only 108 numbers"),
    "before the file": ("w.bin", {"offset": -4}, "expected weights within"),
    "behind the file": ("w.bin", {"offset": 10**18}, "expected weights within"),
    "no number": ("w.bin", {"offset": "a"}, "invalid literal"),
}


@pytest.mark.parametrize("name", EXTERNAL)
def test_weights_beside_an_onnx_file_are_plain_files(judge, tmp_path, name):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    location, said, message = EXTERNAL[name]
    (tmp_path / "secret").write_bytes(bytes(432))
    path = tmp_path / "net"
    (path / "folder").mkdir(parents=True)
    (path / "w.bin").write_bytes(np.ones(108, np.float32).tobytes())
    os.mkfifo(path / "pipe")
    (path / "link").symlink_to(tmp_path / "secret")
    (path / "way").symlink_to(tmp_path)
    os.link(tmp_path / "secret", path / "hard")
    (path / "sparse").touch()
    os.truncate(path / "sparse", 40 * 2**30)
    assert read_onnx(outside(onnx, path, "w.bin"))[0](IMAGES).shape == (2, 4)
    file = outside(onnx, path, location, **said)
    with judge.strictly("ONNX, made up"), pytest.raises(InputError, match=message):
        read_onnx(file)


def test_names_of_classes_and_weights_in_sparse_files(judge):
    from heatproof.network.weights import read_class_names, read_weights

    for ending, start in (
        (".txt", b""),
        (".safetensors", struct.pack("<Q", 2**40)),
        (".pth", b""),
        (".pth", b"PK\3\4"),
    ):
        path = judge.file(start, ending)
        os.truncate(path, 40 * 2**30)
        with judge.strictly("weights, made up"), pytest.raises(InputError, match=r"names of classes|weights"):
            read_class_names(path) if ending == ".txt" else read_weights(path)
        path.unlink()
