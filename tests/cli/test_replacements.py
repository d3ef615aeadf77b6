"""``heatproof replacements`` and ``heatproof statistics``."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from typer.testing import CliRunner

from heatproof.cli import main  # noqa: F401 - registers the commands
from heatproof.cli.application import PARTIAL, app
from heatproof.errors import InputError
from heatproof.perturbation import Statistics

run = CliRunner()
NETWORK = ("--network", "tiny_networks:cnn")


@pytest.fixture(autouse=True)
def photos(monkeypatch, tmp_path):
    """A folder of four pictures, where the command runs."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "photos").mkdir()
    generator = np.random.default_rng(0)
    for number in range(4):
        pixels = generator.integers(0, 256, (50, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"picture {number}.png")
    return tmp_path / "photos"


def called(*arguments):
    """The result of a command; errors that a user can mend are raised."""
    result = run.invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_replacements_writes_a_run_and_says_what_it_found():
    specs = "uniform,blur[sigma=2],road"
    result = called("replacements", "photos", *NETWORK, "--replacements", specs, "--steps", 4, "--out", "RUN")
    assert result.exit_code == 0
    for word in ("ABPC", "blur[sigma=2]", "higher is better", "The area between the curves is largest with"):
        assert word in result.stdout
    record = json.loads(Path("RUN/run.json").read_text())
    assert list(record["replacements"]) == ["uniform", "blur[sigma=2]", "road"]
    assert record["method"] == "lrp-alphabeta"
    assert record["complete"] is True
    assert "heatproof" in record["reproduce"]
    assert {"areas.png", "areas.svg", "examples.png"} <= {path.name for path in Path("RUN").iterdir()}
    assert pl.read_parquet("RUN/scores.parquet").height == 3 * 2 * 4 * 5


def test_by_default_the_paper_s_four_with_the_statistics_of_the_run():
    result = called("replacements", "photos", *NETWORK, "--steps", 2, "--out", "RUN")
    assert result.exit_code == 0
    record = json.loads(Path("RUN/run.json").read_text())
    assert list(record["replacements"]) == ["uniform", "dirichlet", "constant", "blur"]
    assert record["replacements"]["constant"]["statistics"]["count"] == 4
    assert any("dirichlet, constant come from the images of this run (4 images)" in text for text in record["warnings"])


def test_statistics_are_made_once_and_used_by_other_commands(photos):
    result = called("statistics", "photos", *NETWORK, "--out", "mean.safetensors")
    assert result.exit_code == 0
    assert "mean.safetensors: photos (4 images)" in result.stdout
    made = Statistics.read("mean.safetensors")
    assert made.mean.shape == (3, 36, 36)
    (photos / "picture 3.png").unlink()
    options = (*NETWORK, "--steps", 2, "--replacement", "constant", "--statistics", "mean.safetensors")
    result = called(
        "compare", "--protocol=samek2017", "photos", *options, "--methods", "sensitivity-l2", "--out", "RUN"
    )
    assert result.exit_code == 0
    record = json.loads(Path("RUN/run.json").read_text())
    assert record["protocol"]["statistics"] == made.describe()
    assert record["protocol"]["statistics"]["count"] == 4
    assert any("come from photos (4 images)" in text for text in record["warnings"])
    assert called("plan", "--protocol=samek2017", "photos", *options, "--methods", "sensitivity-l2").exit_code == 0
    with pytest.raises(InputError, match="exists already; choose another name"):
        called("statistics", "photos", *NETWORK, "--out", "mean.safetensors")


def test_bad_pictures_are_counted(photos):
    (photos / "broken.jpg").write_bytes(b"no picture")
    assert called("statistics", "photos", *NETWORK, "--out", "mean.safetensors").exit_code == PARTIAL
    options = ("--replacements", "black", "--steps", 2, "--out", "RUN")
    assert called("replacements", "photos", *NETWORK, *options).exit_code == PARTIAL
    assert json.loads(Path("RUN/run.json").read_text())["complete"] is False


@pytest.mark.parametrize("regions", ["slic[segments=9,compactness=1000]", "pixels", "6"])
def test_regions_by_name(regions):
    options = ("--methods", "sensitivity-l2", "--steps", 3, "--regions", regions, "--out", "RUN")
    assert called("compare", "--protocol=samek2017", "photos", *NETWORK, *options).exit_code == 0
    record = json.loads(Path("RUN/run.json").read_text())
    assert record["protocol"]["regions"] == (6 if regions == "6" else regions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--replacements", "blurr"), "did you mean 'blur'"),
        (("--replacements", ""), "got an empty text"),
        (("--replacements", "road", "--engine", "incremental"), "choose engine 'full'"),
        (("--statistics", "nothing.safetensors"), "there is no file 'nothing.safetensors'"),
        (("--method", "lrp-epsilom"), "did you mean 'lrp-epsilon'"),
        (("--regions", "slick"), "did you mean 'slic'"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(arguments, message):
    with pytest.raises(InputError, match=message):
        called("replacements", "photos", *NETWORK, "--steps", 2, *arguments, "--out", "RUN")
    assert not Path("RUN").exists()


def test_list_names_replacements_with_their_options_and_regions():
    text = called("list", "replacements").stdout
    for name in ("blur[sigma=3.0]", "dirichlet", "constant", "road[noise=0.01]", "inpaint[radius=3]", "histogram"):
        assert f"  {name}\n" in text
    assert "slic[segments=100,compactness=10.0]" in called("list", "regions").stdout
