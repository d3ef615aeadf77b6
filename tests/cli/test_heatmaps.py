"""Heatmaps from files and methods of one's own on the command line."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))  # tiny_networks


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Four pictures and their maps, in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    generator = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(generator.integers(0, 256, (44, 42, 3), dtype=np.uint8)).save(f"photos/{number}.png")
    np.savez("maps.npz", **{f"{n}.png": generator.random((36, 36), dtype=np.float32) for n in range(4)})
    Path("mine.py").write_text("def explain(network, images, targets):\n    return images.sum(dim=1)\n")
    return "photos", "--network", "tiny_networks:cnn"


def test_a_run_of_files_alone_goes_on_while_they_are_the_same(run, photos):
    arguments = (
        "compare",
        "--protocol=samek2017",
        *photos,
        "--heatmaps",
        "mine=maps.npz",
        "--out",
        "RUN",
        "--steps",
        3,
        "--audit",
        0,
    )
    code, out, err = run(*arguments)
    assert code == 0, err
    assert "mine" in out
    assert "lrp-epsilon" not in out
    assert run(*arguments)[0] == 0
    np.savez("maps.npz", **{f"{n}.png": np.ones((36, 36), dtype=np.float32) for n in range(4)})
    code, _, err = run(*arguments)
    assert (code, "another configuration (mine: its file holds something else now)" in err) == (2, True)


def test_a_map_that_is_missing_is_told_before_anything_is_computed(run, photos):
    np.savez("maps.npz", **{"0.png": np.ones((36, 36)), "1.png": np.ones((36, 36))})
    code, _, err = run(
        "compare", "--protocol=samek2017", *photos, "--heatmaps", "mine=maps.npz", "--out", "RUN", "--audit", 0
    )
    assert (code, "has no map for 2 of 4 images, such as 'photos/2.png'" in err) == (2, True)


def test_a_map_of_another_size_is_told_before_anything_is_written(run, photos):
    np.savez("maps.npz", **{f"{n}.png": np.ones((36, 36 if n < 3 else 18)) for n in range(4)})
    code, _, err = run(
        "compare", "--protocol=samek2017", *photos, "--heatmaps", "mine=maps.npz", "--out", "RUN", "--audit", 0
    )
    assert (code, "the map '3.png'" in err, "Traceback" in err, Path("RUN").exists()) == (2, True, False, False), err


def test_one_s_own_code_beside_a_file_in_a_run_and_a_study_file(run, photos):
    arguments = ("--steps", 3, "--audit", 0, "--methods", "mine.py:explain,random", "--heatmaps", "map=maps.npz")
    code, out, err = run("compare", "--protocol=samek2017", *photos, *arguments, "--out", "RUN")
    assert code == 0, err
    assert all(name in out for name in ("mine.py:explain", "random", "map"))
    assert run("compare", "--protocol=samek2017", "RUN/study.toml", "--out", "RUN2")[0] == 0


def test_explain_and_complexity_take_files(run, photos):
    assert run("explain", *photos, "--heatmaps", "mine=maps.npz", "--out", "pictures")[0] == 0
    assert len(list(Path("pictures").glob("*.mine.png"))) == 4
    code, out, _ = run("complexity", *photos, "--heatmaps", "mine=maps.npz", "--out", "RUN")
    assert (code, "mine" in out) == (0, True)


def test_names_that_are_methods_already(run, photos):
    code, _, err = run("explain", *photos, "--methods", "random", "--heatmaps", "random=maps.npz")
    assert (code, "give your heatmaps another name" in err) == (2, True)
