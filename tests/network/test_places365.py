"""Checkpoints as the authors of Places365 wrote them in 2017: old names, wrapped, in the form of that time."""

import re
from collections import OrderedDict

import pytest
import torch
from torchvision import models

import heatproof as hp
from heatproof.errors import InputError

NETWORKS = {
    "alexnet": ("AlexNet", lambda name: re.sub(r"^features\.", "features.module.", name)),
    "resnet18": ("ResNet", lambda name: f"module.{name}"),
    "resnet50": ("ResNet", lambda name: f"module.{name}"),
    "densenet161": ("DenseNet", lambda name: "module." + re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name)),
}


def checkpoint(path, name, classes=365):
    """A file in the legacy form, without the counters that batch norms have had since; and its module."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = models.get_model(name, num_classes=classes)
    rename = NETWORKS[name][1]
    tensors = OrderedDict(
        (rename(key), value) for key, value in module.state_dict().items() if "num_batches" not in key
    )
    stored = {"epoch": 90, "arch": name, "state_dict": tensors, "best_prec1": torch.tensor(55.0)}
    torch.save(stored, path, _use_new_zipfile_serialization=False)
    return module.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_checkpoints_are_read_with_their_old_names(name, tmp_path):
    path = tmp_path / f"{name}_places365.pth.tar"
    module = checkpoint(path, name)
    network = hp.load_network(f"places365:{name}", weights=path)
    pictures = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(network.module(pictures), module(pictures))
    found = network.preprocessing
    assert (found.resize, found.crop, found.mean) == ((256, 256), 224, (0.485, 0.456, 0.406))
    assert (network.name, network.classes, network.notes) == (name, None, ())


def test_names_come_from_the_published_list(tmp_path):
    checkpoint(tmp_path / "r.pth.tar", "resnet18")
    lines = [f"/{'abc'[i % 3]}/scene_{i}{'/indoor' if i % 2 else ''} {i}\n" for i in range(365)]
    (tmp_path / "categories.txt").write_text("".join(lines))
    network = hp.load_network(
        "places365:resnet18", weights=str(tmp_path / "r.pth.tar"), classes=tmp_path / "categories.txt"
    )
    assert network.classes[:3] == ("scene_0", "scene_1/indoor", "scene_2")
    assert len(network.classes) == 365


def test_number_of_names_must_be_that_of_the_classes(tmp_path):
    checkpoint(tmp_path / "r.pth.tar", "resnet18")
    with pytest.raises(InputError, match="the network has 365 classes, got names of 3"):
        hp.load_network("places365:resnet18", weights=tmp_path / "r.pth.tar", classes=["a", "b", "c"])


@pytest.mark.parametrize(
    ("spec", "weights", "message"),
    [
        ("places365:resnet19", None, "unknown network of Places365 'resnet19'; did you mean 'resnet18'?"),
        ("places365:resnet18", None, "resnet18 needs its weights: 'heatproof fetch places365-resnet18' downloads them"),
        ("places365:resnet18", "gone.pth.tar", "there is no file 'gone.pth.tar'; 'heatproof fetch places365-resnet18'"),
        ("places365:resnet18", "DEFAULT", "weights 'DEFAULT' of resnet18 are no file; 'heatproof fetch places365-"),
    ],
)
def test_weights_that_are_not_there_are_named_with_where_to_get_them(spec, weights, message):
    with pytest.raises(InputError, match=re.escape(message)):
        hp.load_network(spec, weights=weights)


def test_random_weights_on_request():
    network = hp.load_network("places365:resnet18", weights="none")
    assert network.notes == ("resnet18 has random weights: its heatmaps explain nothing",)
    assert network.module.fc.out_features == 365


def test_checkpoint_of_another_network_is_told(tmp_path):
    checkpoint(tmp_path / "r.pth.tar", "resnet18")
    with pytest.raises(InputError, match=r"weights of r\.pth\.tar do not fit ResNet; missing: layer1\.0\.conv3"):
        hp.load_network("places365:resnet50", weights=tmp_path / "r.pth.tar")
