import subprocess
import sys

import pytest

from heatproof.data import Preprocessing, built_in_photographs, find_pictures, read_pictures, sources
from heatproof.errors import InputError

PROBE = """
import sys
from heatproof.data import built_in_photographs
built_in_photographs()
assert "foolbox" not in sys.modules and "skimage" not in sys.modules
"""


def test_twenty_of_foolbox_then_five_of_scikit_image():
    found = built_in_photographs()
    assert [path.parts[-3] for path in found] == ["foolbox"] * 20 + ["skimage"] * 5
    assert [path.name.split("_")[1] for path in found[:20]] == [f"{number:02}" for number in range(20)]
    assert len(set(found)) == 25


def test_all_of_them_can_be_read():
    pictures = read_pictures("builtin", Preprocessing(resize=32, crop=32))
    assert pictures.images.shape == (25, 3, 32, 32)
    assert pictures.skipped == ()


def test_builtin_is_a_source_among_others(tmp_path):
    mine = built_in_photographs()[3]
    assert find_pictures([mine, "builtin"]) == [mine, *(path for path in built_in_photographs() if path != mine)]


def test_packages_are_not_imported():
    subprocess.run([sys.executable, "-c", PROBE], check=True)


def test_one_package_is_enough(monkeypatch):
    find = sources.find_spec
    monkeypatch.setattr(sources, "find_spec", lambda name: None if name == "foolbox" else find(name))
    assert [path.name for path in built_in_photographs()][:2] == ["chelsea.png", "camera.png"]


def test_none_installed_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'foolbox or scikit-image, found neither; pip install "heatproof\[demo\]"'):
        built_in_photographs()
