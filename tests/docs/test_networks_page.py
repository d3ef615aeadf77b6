"""What docs/networks.md says of a network is what the script that made it finds."""

import importlib.util
import sys

import pytest
import torch
from tests.docs.pages import ROOT


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("timm")
    pytest.importorskip("transformers")
    spec = importlib.util.spec_from_file_location("networks_page", ROOT / "docs" / "networks.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    before = torch.get_num_threads()
    spec.loader.exec_module(module)
    yield module
    torch.set_num_threads(before)
    del sys.modules[spec.name]


@pytest.mark.parametrize(
    "name", ["torchvision:squeezenet1_1", "timm:test_resnet", "transformers:ViT", "transformers:Swin"]
)
def test_a_row_is_found_again(script, name):
    (written,) = [row for row in script.rows_of(script.PAGE) if row.name == name]
    found = script.tried(name)
    assert found.reason == written.reason
    assert found.line() == written.line()


def test_the_head_counts_the_rows(script):
    rows = script.rows_of(script.PAGE)
    page = script.PAGE.read_text(encoding="utf-8")
    with_attention = [row for row in rows if row.attention]
    assert f"of the {len(with_attention)} with attention," in page
    assert sum(row.ways["LRP"] for row in with_attention) >= 3 / 4 * len(with_attention)
