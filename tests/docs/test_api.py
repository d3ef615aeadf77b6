"""The Python reference has every public name."""

import importlib
import inspect
import re

import pytest
from tests.docs.pages import ROOT

REFERENCE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
DOCUMENTED = set(re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)$", REFERENCE, re.MULTILINE))
ROOMS = ["", ".data", ".heatmaps", ".network", ".perturbation", ".measures", ".studies", ".checks"]


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_of_a_room_is_there(room):
    module = importlib.import_module(f"heatproof{room}")
    found = {name: getattr(module, name) for name in module.__all__}
    documented = [name for name, value in found.items() if inspect.isfunction(value) or inspect.isclass(value)]
    assert [name for name in documented if name not in DOCUMENTED] == [], "add them to docs/api.md"
