"""Networks that come in a file: what they compute, what is lost, and that nothing in them is run."""

import copy
import functools
import io
import json
import logging
import os
import pickle
import sys
import warnings
import zipfile

import pytest
import torch
from small_networks import ReluCNN, randomised
from torch import nn

import heatproof as hp
from heatproof import InputError
from heatproof.network.formats.files import file_kind
from heatproof.network.loading import EXTRAS, described_sources

IMAGE = (3, 12, 12)
LOSES_NOTHING = ("lrp-epsilon", "gradient-x-input", "deconvolution-l2")
FREE = {"dynamo": True, "dynamic_shapes": ({0: torch.export.Dim("batch", min=1)},)}
IMAGES = torch.rand(3, *IMAGE, generator=torch.Generator().manual_seed(1))


@functools.cache
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return randomised(ReluCNN()).float()


def exported(path, module=None, images=IMAGES[:2], shapes=FREE["dynamic_shapes"]):
    torch.export.save(torch.export.export(module or net(), (images,), dynamic_shapes=shapes), path)
    return path


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("pt2") / "net.pt2")


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "net.torchscript"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated
        torch.jit.save(torch.jit.trace(net(), IMAGES[:1]), path)
    return path


def rewritten(source, path, change):
    """The same archive with some entries changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        entries = {entry.filename.partition("/")[2]: old.read(entry) for entry in old.infolist()}
        change(entries)
        for name, content in entries.items():
            new.writestr(f"net/{name}", content)
    return path


# --- torch.export


def test_a_program_computes_what_its_module_does(program):
    network = hp.load_network(str(program), preprocessing="none")
    torch.testing.assert_close(network.logits(IMAGES), net()(IMAGES).detach(), rtol=1e-5, atol=1e-5)
    assert network.without_graph(IMAGE) is None
    for method in LOSES_NOTHING:
        maps, theirs = (hp.explain(given, IMAGES, method) for given in (network, hp.Network(net())))
        torch.testing.assert_close(maps, theirs, rtol=1e-4, atol=1e-5)
    assert (network.name, network.notes) == ("net", ())
    told = network.describe()
    assert told["source"] == str(program)
    assert len(told["weights_blake2b"]) == 32


def test_a_program_says_how_large_its_images_are(program):
    network = hp.load_network(f"pt2:{program}")
    assert network.preprocessing.resize == IMAGE[1]
    assert network.preprocessing.crop == IMAGE[1:]
    assert "does not say how it wants its pictures: they become" in network.notes[0]


@pytest.mark.parametrize("size", [1, 2])
def test_a_program_for_one_size_of_batch_is_fed_in_such_batches(size, tmp_path):
    path = exported(tmp_path / "net.pt2", images=IMAGES[:size], shapes=None)
    network = hp.load_network(str(path), preprocessing="none")
    torch.testing.assert_close(network.logits(IMAGES), net()(IMAGES).detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        network.forward_pass(IMAGES).gradient, hp.Network(net()).forward_pass(IMAGES).gradient, rtol=1e-4, atol=1e-6
    )
    assert f"was exported for batches of {size}" in network.notes[0]
    assert "Dim(" in network.notes[0]
    assert network.without_graph(IMAGE)


def test_a_program_that_returns_more_than_logits_is_told(tmp_path):
    class Pair(nn.Module):
        def forward(self, images):
            return {"a": images.mean((2, 3)), "b": images.sum((2, 3))}

    path = exported(tmp_path / "net.pt2", Pair())
    with pytest.raises(InputError, match=r"must return one tensor of class scores of shape \(B, classes\), got dict"):
        hp.load_network(str(path), preprocessing="none").logits(IMAGES)


class Marking:
    """Unpickling makes a folder: code would have run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def in_json(name, change):
    def apply(entries, marker):
        found = json.loads(entries[name])
        change(found, f"__import__('pathlib').Path({str(marker)!r}).mkdir()")
        entries[name] = json.dumps(found).encode()

    return apply


def in_model(change):
    return in_json("models/model.json", change)


def of_symbol(found, code):
    for value in found["graph_module"]["graph"]["tensor_values"].values():
        for size in value["sizes"]:
            if "as_expr" in size:
                size["as_expr"]["expr_str"] = code


def of_spec(found, code):
    context = json.dumps([{"__enum__": True, "fqn": "os:system", "name": code}])
    spec = [1, {"type": "builtins.dict", "context": context, "children_spec": []}]
    found["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps(spec)


def of_node(key, value):
    def change(found, code):
        found["graph_module"]["graph"]["nodes"][0][key] = value.format(code)

    return change


def of_input(found, code):
    name = f"x={code}"
    text = json.dumps(found).replace('"name": "input"', f'"name": {json.dumps(name)}')
    found.clear()
    found.update(json.loads(text))


def argument(found, code):
    found["graph_module"]["graph"]["nodes"][0]["inputs"][0]["arg"] = {"as_operator": "torch.os.system"}


def pickled(entries, marker):
    name = "data/weights/model_weights_config.json"
    config = json.loads(entries[name])
    first = next(iter(config["config"].values()))
    first["use_pickle"] = True
    entries[name] = json.dumps(config).encode()
    entries["data/weights/" + first["path_name"]] = saved(Marking(marker))


def opaque(entries, marker):
    name = "data/constants/model_constants_config.json"
    about = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    entries[name] = json.dumps({"config": {"c": about}}).encode()
    entries["data/constants/opaque_obj_0"] = pickle.dumps(Marking(marker))


def saved(found):
    file = io.BytesIO()
    torch.save(found, file)
    return file.getvalue()


HOSTILE = {
    "a size that is code": (in_model(of_symbol), "size .* is none that heatproof lets through"),
    "a range that is code": (
        in_model(lambda found, code: found["range_constraints"].update({code: {"min_val": 1, "max_val": 2}})),
        "size .* is none that heatproof lets through",
    ),
    "a container that imports": (in_model(of_spec), "name .* is none that heatproof lets through"),
    "a function of Python": (in_model(of_node("target", "torch.os.system")), r"operation 'torch\.os\.system' is none"),
    "an operator that calls": (in_model(of_node("target", "_operator.methodcaller")), "operation .* is none"),
    "an operation on files": (in_model(of_node("target", "torch.ops.aten.from_file.default")), "operation .* is none"),
    "a node's name that is code": (in_model(of_node("name", "x={}")), "text .* is none that heatproof lets through"),
    "an input's name that is code": (in_model(of_input), "text .* is none that heatproof lets through"),
    "a function as an argument": (in_model(argument), "it carries a function as an argument"),
    "a pickled weight": (pickled, "is pickled, and reading it could run code"),
    "a pickled object": (opaque, "is pickled, and reading it could run code"),
    "compiled code": (
        lambda entries, _: entries.update({"data/aotinductor/model/a.so": b"\x7fELF"}),
        "it holds compiled code",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_programs_with_code_are_refused(kind, program, tmp_path):
    change, message = HOSTILE[kind]
    marker = tmp_path / "was run"
    path = rewritten(program, tmp_path / "evil.pt2", lambda entries: change(entries, marker))
    with pytest.raises(InputError, match=message):
        hp.load_network(str(path))
    assert not marker.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda entries, marker: entries.update({"data/sample_inputs/model.pt": saved(Marking(marker))}),
        in_model(lambda found, code: found.update(guards_code=[code])),
        lambda entries, marker: entries.update({"data/weights/model.pt": saved(Marking(marker))}),
    ],
    ids=["sample inputs", "guards", "older weights"],
)
def test_what_is_not_needed_is_never_read(change, program, tmp_path):
    marker = tmp_path / "was run"
    path = rewritten(program, tmp_path / "net.pt2", lambda entries: change(entries, marker))
    network = hp.load_network(str(path), preprocessing="none")
    torch.testing.assert_close(network.logits(IMAGES), net()(IMAGES).detach(), rtol=1e-5, atol=1e-5)
    assert not marker.exists()


def test_the_tests_of_code_would_run_it(program, tmp_path):
    """torch.export.load itself runs what our reader refuses: the oracle of the two tests above."""
    for number, change in enumerate([HOSTILE["a pickled weight"][0], HOSTILE["a size that is code"][0]]):
        marker = tmp_path / f"was run {number}"
        path = rewritten(program, tmp_path / f"evil{number}.pt2", lambda entries, c=change, m=marker: c(entries, m))
        logging.disable()
        try:
            torch.export.load(path)
        except Exception:
            pass
        finally:
            logging.disable(logging.NOTSET)
        assert marker.exists()


def test_programs_that_swell_or_lie_are_refused(program, tmp_path):
    path = tmp_path / "bomb.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/models/model.json", bytes(2**26 + 1))
    with pytest.raises(InputError, match="is compressed and would swell to"):
        hp.load_network(str(path))

    def lies(found, _):
        first = next(iter(found["config"].values()))
        first["tensor_meta"]["sizes"] = [{"as_int": 10**12}]

    change = in_json("data/weights/model_weights_config.json", lies)
    path = rewritten(program, tmp_path / "lies.pt2", lambda entries: change(entries, ""))
    with pytest.raises(InputError, match="claims 1,000,000,000,000 numbers"):
        hp.load_network(str(path))


@pytest.mark.parametrize("ending", ["pt2", "torchscript", "onnx"])
@pytest.mark.parametrize("content", [b"", b"text", None])
def test_what_is_no_network_is_told(ending, content, tmp_path, program, script):
    if ending == "onnx":
        pytest.importorskip("onnx2pytorch", reason="onnx2pytorch is not installed")
    path = tmp_path / f"odd.{ending}"
    whole = {"pt2": program, "torchscript": script}.get(ending, program).read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(InputError, match=r"odd\."):
        hp.load_network(str(path))
    with pytest.raises(InputError, match="network: there is no file"):
        hp.load_network(str(tmp_path / f"none.{ending}"))


def test_one_kind_is_not_taken_for_another(program, script):
    with pytest.raises(InputError, match=r"expected a program of torch\.export"):
        hp.load_network(f"pt2:{script}")
    with pytest.raises(InputError, match="expected a TorchScript program"):
        hp.load_network(f"torchscript:{program}")
    with pytest.raises(InputError, match="contains weights"):
        hp.load_network(str(program), weights="w.safetensors")


def test_the_list_says_what_is_not_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "timm" else name)
    found = described_sources()
    assert found["timm:NAME"].endswith('; needs pip install "heatproof[timm]"')
    assert [name for name, text in found.items() if "pip install" in text] == ["timm:NAME"]
    assert set(EXTRAS) < set(found)


def test_kinds_of_files():
    assert file_kind("a/b.PT2") == ("pt2", "a/b.PT2")
    assert file_kind("transformers:folder") == ("transformers", "folder")
    assert file_kind("model.py:Model") is None


# --- TorchScript


@pytest.mark.parametrize("make", [torch.jit.script, lambda module: torch.jit.trace(module, IMAGES[:1])])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torchscript_computes_what_its_module_does(make, tmp_path):
    path = tmp_path / "net.pt"
    torch.jit.save(make(net()), path)
    network = hp.load_network(f"torchscript:{path}", preprocessing="none")
    torch.testing.assert_close(network.logits(IMAGES), net()(IMAGES).detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        network.forward_pass(IMAGES).gradient, hp.Network(net()).forward_pass(IMAGES).gradient, rtol=1e-4, atol=1e-6
    )
    assert network.notes == (
        "net.pt is TorchScript, which has no graph here: no deconvolution, no LRP, full evaluation",
    )
    assert network.fingerprint() != network.randomised().fingerprint()
    with pytest.raises(InputError, match="needs the network's graph"):
        hp.explain(network, IMAGES, "lrp-epsilon")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torchscript_that_writes_files_is_refused(tmp_path):
    class Saving(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            torch.save(images, "written")
            return images.mean((2, 3))

    path = tmp_path / "evil.torchscript"
    torch.jit.save(torch.jit.script(Saving()), path)
    with pytest.raises(InputError, match=r"evil\.torchscript is refused: it calls 'aten::save'"):
        hp.load_network(str(path))


# --- ONNX


def to_onnx(path, module=None, images=IMAGES[:2], **options):
    pytest.importorskip("onnxscript", reason="torch.onnx.export needs onnxscript, which is not installed")
    pytest.importorskip("onnx2pytorch", reason="onnx2pytorch is not installed")
    torch.onnx.export(module or net(), (images,), path, verbose=False, **options)
    return path


ONNX_NOTICES = pytest.mark.filterwarnings("ignore")  # the exporter's own


@ONNX_NOTICES
def test_onnx_computes_what_its_module_does(tmp_path):
    network = hp.load_network(str(to_onnx(tmp_path / "net.onnx", **FREE)), preprocessing="none")
    torch.testing.assert_close(network.logits(IMAGES), net()(IMAGES).detach(), rtol=1e-4, atol=1e-4)
    assert network.without_graph(IMAGE) is None
    maps = hp.explain(network, IMAGES, "lrp-epsilon")
    theirs = hp.explain(hp.Network(net()), IMAGES, "lrp-epsilon")
    torch.testing.assert_close(maps, theirs, rtol=1e-3, atol=1e-4)
    assert network.preprocessing.crop == hp.Preprocessing().crop
    assert hp.load_network(str(tmp_path / "net.onnx")).preprocessing.crop == IMAGE[1:]


@ONNX_NOTICES
def test_onnx_for_one_size_of_batch_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(InputError, match=r"is for batches of 2 images; export it with a free batch: torch\."):
        hp.load_network(str(to_onnx(tmp_path / "net.onnx", dynamo=True)))


@ONNX_NOTICES
def test_onnx_reads_no_weights_from_outside_its_folder(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    path = to_onnx(tmp_path / "inside" / "net.onnx", **FREE) if (tmp_path / "inside").mkdir() is None else None
    model = onnx.load(path, load_external_data=False)
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(10**5))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    del tensor.external_data[:]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"expected an ONNX file, got net\.onnx"):
        hp.load_network(str(path))


@pytest.mark.parametrize(("spec", "package"), [("net.onnx", "onnx"), ("transformers:.", "transformers")])
def test_missing_packages_are_named(spec, package, tmp_path, monkeypatch):
    (tmp_path / "net.onnx").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf'pip install "heatproof\[{package}\]"'):
        hp.load_network(spec)


def test_a_copy_of_a_program_is_whole(program):
    network = hp.load_network(str(program), preprocessing="none")
    other = copy.deepcopy(network.module)
    torch.testing.assert_close(other(IMAGES), network.module(IMAGES), rtol=0, atol=0)
