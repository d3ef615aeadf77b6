"""``heatproof planted``."""

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image

from heatproof import cli

METHODS = ("--network", "tiny_networks:quarters", "--methods", "lrp-epsilon,sensitivity-l2")


@pytest.fixture
def coloured(photos):
    """Eight pictures of four classes, and one that is broken."""
    for path in photos.iterdir():
        path.unlink()
    generator = np.random.default_rng(0)
    for number in range(8):
        pixels = generator.integers(0, 60, (36, 36, 3), dtype=np.uint8)
        colour = [(190, 0, 0), (0, 190, 0), (0, 0, 190), (120, 120, 120)][number % 4]
        Image.fromarray(pixels + np.array(colour, dtype=np.uint8)).save(photos / f"{number}.png")
    return photos


def test_it_writes_its_page_table_and_scores(run, coloured, tmp_path):
    code, out, err = run("planted", coloured, *METHODS, "--out", "RUN")
    assert code == 0, err
    assert "lrp-epsilon finds the right tile best" in out or "No method is significantly above chance" in out
    assert {"report.html", "shares.png", "scores.parquet", "places.parquet", "planted.json", "table.csv"} <= {
        path.name for path in (tmp_path / "RUN").iterdir()
    }
    record = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert record["reproduce"].startswith("heatproof planted ")
    assert pl.read_parquet(tmp_path / "RUN" / "scores.parquet")["picture"].n_unique() == 2


def test_it_is_resumed_reported_again_and_replaced_if_asked_for(run, coloured, tmp_path):
    assert run("planted", coloured, *METHODS, "--out", "RUN")[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "RUN").glob("*.csv")}
    assert run("planted", coloured, *METHODS, "--out", "RUN")[0] == 0  # it is complete
    code, out, _ = run("report", "RUN")
    assert (code, "tiles of a mosaic averaged first" in out) == (0, True)
    assert before == {path: path.read_bytes() for path in before}
    code, _, err = run("planted", coloured, *METHODS, "--seed", "1", "--out", "RUN")
    assert (code, "another configuration" in err) == (cli.INPUT_ERROR, True)
    assert run("planted", coloured, *METHODS, "--seed", "1", "--out", "RUN", "--overwrite")[0] == 0
    code, out, _ = run("view")
    assert (code, "planted" in out) == (0, True)


def test_a_study_file_and_twice_the_size(run, coloured, tmp_path):
    lines = [
        'study = "planted"',
        f'pictures = ["{coloured.name}"]',
        'network = "tiny_networks:quarters"',
        "enlarge = 2",
    ]
    (tmp_path / "study.toml").write_text("\n".join([*lines, 'methods = ["sobel"]', ""]))
    code, _, err = run("planted", "study.toml", "--out", "RUN")
    assert code == 0, err
    record = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert record["plan"]["planted"] == {"kind": "mosaics", "grid": 2, "enlarge": 2, "seen": 0.05, "seed": 0}
    assert json.loads((tmp_path / "RUN" / "planted.json").read_text())["height"] == 72
    assert run("planted", "study.toml", "--out", "RUN")[0] == 0


def test_a_comparison_asks_first_whether_mosaics_can_be_made(run, coloured, tmp_path):
    given = (coloured, *METHODS, "--protocol", "large-blur", "--audit", "0", "--planted")
    code, out, err = run("plan", *given)
    assert code == 0, err
    assert "10 more evaluations, in full, on 8 images, and heatmaps of" in out
    for number in (2, 3, 6, 7):
        (coloured / f"{number}.png").unlink()
    for command in (("plan",), ("compare", "--out", "RUN")):
        code, _, err = run(*command, *given)
        assert code == cli.INPUT_ERROR
        assert "a mosaic of 2 × 2 needs photographs of 4 classes, got 4 photographs of 2" in err
    assert not (tmp_path / "RUN").exists()


def test_broken_pictures_are_counted_and_wrong_words_leave_nothing(run, coloured, tmp_path):
    (coloured / "broken.png").write_bytes(b"no picture")
    assert run("planted", coloured, *METHODS, "--out", "RUN")[0] == cli.PARTIAL
    for words, message in (
        (("--grid", "3"), "needs photographs of 9 classes"),
        (("--seen", "2"), "Invalid value for '--seen'"),
        (("--methods", "lpr"), "unknown method 'lpr'"),
        (("--kind", "patches"), "unknown kind 'patches'; did you mean 'patch'"),
        (("--kind", "patch", "--grid", "3"), "grid and enlarge are options of mosaics"),
        (("--kind", "patch"), "the network hardly sees the patch"),
    ):
        code, _, err = run("planted", coloured, *METHODS, *words, "--out", "OTHER")
        assert (code, message in err) == (cli.INPUT_ERROR, True), err
    assert not (tmp_path / "OTHER").exists()
