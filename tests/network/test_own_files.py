"""Networks from a user's own file."""

import pytest
import torch
from safetensors.torch import save_file

from heatproof import InputError, load_network

FILE = """
from dataclasses import dataclass
import neighbour
from torch import nn

@dataclass
class Size:
    classes: "int" = 3

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(neighbour.INPUTS, Size().classes)
    def forward(self, images):
        return self.head(images.flatten(1))
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "neighbour.py").write_text("INPUTS = 12\n")
    (tmp_path / "my model.py").write_text(FILE)
    return tmp_path / "my model.py"


def test_a_class_in_a_file_is_a_network(file, tmp_path):
    weights = {"head.weight": torch.randn(3, 12), "head.bias": torch.randn(3)}
    save_file(weights, tmp_path / "w.safetensors")
    network = load_network(f"{file}:Model", weights=tmp_path / "w.safetensors", preprocessing="none")
    images = torch.rand(2, 3, 2, 2)
    expected = images.flatten(1) @ weights["head.weight"].T + weights["head.bias"]
    torch.testing.assert_close(network.logits(images), expected)
    assert network.name == "Model"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no file '.*absent\.py'"):
        load_network(f"{tmp_path}/absent.py:Model")


def test_a_missing_name_is_named(file):
    with pytest.raises(InputError, match=r"my model\.py:Modell must be a callable that returns a network, got None"):
        load_network(f"{file}:Modell")
