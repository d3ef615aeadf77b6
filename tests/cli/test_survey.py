"""``heatproof survey``: cells are runs of their own, resumed, added, merged; one that fails leaves the rest whole."""

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image

import heatproof as hp

FILE = """
study = "survey"
methods = ["lrp-epsilon", "sensitivity-l2"]
protocols = ["coarse-uniform", "samek2017"]
regions = "4"
steps = 6
audit = 0
engine = "full"

[networks.tiny]
network = "tiny_networks:cnn"

[data.photos]
pictures = ["photos"]
"""
SECOND = '\n[networks.second]\nnetwork = "tiny_networks:transformer"\n'
BROKEN = '\n[networks.broken]\nnetwork = "tiny_networks:nothing"\n'


@pytest.fixture
def file(photos, tmp_path):
    """A survey file beside more pictures."""
    for number in range(2, 6):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    path = tmp_path / "survey.toml"
    path.write_text(FILE)
    return path


def written(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_each_cell_is_the_run_of_its_own_command(run, file, tmp_path):
    code, out, _ = run("survey", file, "--out", "OUT")
    assert code == 0
    assert "Under samek2017, " in out
    cell = tmp_path / "OUT/cells/00000"
    code, _, _ = run("compare", cell / "study.toml", "--out", "ALONE")
    assert code == 0
    for name in ("shards/00000.parquet", "table.csv"):
        assert (cell / name).read_bytes() == (tmp_path / "ALONE" / name).read_bytes()
    frame = pl.read_parquet(tmp_path / "OUT/cells.parquet")
    assert frame["protocol"].unique(maintain_order=True).to_list() == ["coarse-uniform", "samek2017"]
    page = (tmp_path / "OUT/report.html").read_text()
    assert 'href="cells/00000/report.html"' in page


def test_added_cells_cost_only_themselves(run, file, tmp_path):
    run("survey", file, "--out", "OUT")
    before = written(tmp_path / "OUT/cells")
    file.write_text(FILE + SECOND)
    code, out, _ = run("survey", file, "--out", "OUT", "--json")
    assert code == 0
    after = written(tmp_path / "OUT/cells")
    assert {name: after[name] for name in before} == before
    assert len(list((tmp_path / "OUT/cells").iterdir())) == 4
    assert "second / photos / samek2017" in json.loads(out)["cells"]


def test_a_network_that_fails_leaves_the_rest_whole(run, file, tmp_path):
    file.write_text(FILE + BROKEN)
    code, out, err = run("survey", file, "--out", "OUT")
    assert code == 3
    assert "No result: broken / photos / coarse-uniform" in out
    assert "must be a callable that returns a network" in err
    code, out, _ = run("report", "OUT")
    assert "No result: broken" in out
    file.write_text(FILE + BROKEN.replace("nothing", "transformer"))
    code, out, _ = run("survey", file, "--out", "OUT")
    assert code == 0
    assert "No result" not in out


def test_it_is_the_same_in_python_and_read_again(run, file, tmp_path):
    found = hp.survey(file)
    assert [str(one.name) for one in found.findings] == ["tiny / photos / coarse-uniform", "tiny / photos / samek2017"]
    code, out, _ = run("report", tmp_path / "survey")
    assert code == 0
    for sentence in found.verdict:
        assert sentence in out


def test_halves_are_merged(run, file, tmp_path):
    run("survey", file, "--out", "ONE")
    other = tmp_path / "other.toml"
    other.write_text(FILE.replace("[networks.tiny]", "[networks.third]"))
    run("survey", other, "--out", "TWO")
    code, out, _ = run("merge", "ONE", "TWO", "ONE", "--out", "BOTH")
    assert code == 0
    assert "over 2 networks" in out
    assert len(list((tmp_path / "BOTH/cells").iterdir())) == 4
    frame = pl.read_parquet(tmp_path / "BOTH/cells.parquet")
    assert frame.filter(network="tiny").drop("network").equals(frame.filter(network="third").drop("network"))


def test_another_configuration_of_a_cell_is_refused(run, file):
    run("survey", file, "--out", "OUT")
    file.write_text(FILE.replace("steps = 6", "steps = 5"))
    code, _, err = run("survey", file, "--out", "OUT")
    assert code == 2
    assert "steps: 6 then, 5 now" in err
    code, _, _ = run("survey", file, "--out", "OUT", "--overwrite")
    assert code == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'expected the line study = "survey"'),
        ('study = "survey"\n', "[networks]: expected at least one section"),
        (FILE.replace("[data.photos]", "[data.'a/b']"), "expected names without slashes"),
        (FILE.replace("steps = 6", "stops = 6"), "unknown key 'stops'; did you mean 'steps'?"),
        (FILE.replace("steps = 6", 'steps = 6\nuntil = "signs"'), "unknown key 'until'"),
        (FILE + SECOND + 'on = ["foto"]\n', "'foto'"),
        (FILE.replace('"samek2017"]', '"coarse-uniform"]'), "expected a list of texts, each once"),
        (FILE.replace('"samek2017"]', '"samek"]'), "unknown protocol 'samek'"),
        (FILE.replace("lrp-epsilon", "lrp-epsilo"), "tiny / photos / coarse-uniform: unknown method"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(run, file, text, message):
    file.write_text(text)
    code, _, err = run("survey", file, "--out", "OUT")
    assert code == 2
    assert message in err


def test_a_plan_counts_what_will_be_evaluated_and_makes_nothing(run, file, tmp_path):
    code, out, _ = run("survey", file, "--out", "OUT", "--plan", "--json")
    assert code == 0
    assert not (tmp_path / "OUT").exists()
    table = json.loads(out)["table"]
    planned = {tuple(row[:3]): row[4] for row in table["rows"]}
    found = hp.survey(file, tmp_path / "OUT")
    assert {tuple(one.name): one.work.evaluations for one in found.findings} == {
        name: count for name, count in planned.items() if name[0] != "all"
    }


def test_groups_of_images_are_told(run, file, tmp_path, photos):
    names = sorted(path.name for path in photos.iterdir())
    (tmp_path / "kinds.csv").write_text(
        "file,group\n" + "".join(f"{name},{number % 2}\n" for number, name in enumerate(names))
    )
    file.write_text(FILE + 'groups = "kinds.csv"\n')
    code, _, _ = run("survey", file, "--out", "OUT")
    assert code == 0
    frame = pl.read_parquet(tmp_path / "OUT/cells.parquet")
    assert set(frame["group"]) == {"0", "1"}
    code, _, _ = run("merge", "OUT", "--out", "COPY")
    assert code == 0
    assert pl.read_parquet(tmp_path / "COPY/cells.parquet").equals(frame)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,kind\na.png,x\n", "expected a CSV file with the columns file and group"),
        ("file,group\na.png,x\na.png,y\n", "expected each file once, got 'a.png' several times"),
        (None, "there is no table of groups"),
    ],
)
def test_a_table_of_groups_that_is_wrong_is_refused(run, file, tmp_path, text, message):
    if text is not None:
        (tmp_path / "kinds.csv").write_text(text)
    file.write_text(FILE + 'groups = "kinds.csv"\n')
    code, _, err = run("survey", file, "--out", "OUT")
    assert code == 2
    assert message in err
    assert not (tmp_path / "OUT").exists()


def test_a_plan_measures_a_network_once_for_data_of_one_size(run, file, photos, monkeypatch):
    import heatproof.studies

    measured, plan = [], heatproof.studies.plan_comparison
    monkeypatch.setattr(
        heatproof.studies, "plan_comparison", lambda *given, **asked: measured.append(1) or plan(*given, **asked)
    )
    for name in ("same", "fewer"):
        (photos.parent / name).mkdir()
        for number in range(6 if name == "same" else 4):
            (photos.parent / name / f"{number}.png").write_bytes((photos / f"{number}.png").read_bytes())
    file.write_text(FILE + '[data.same]\npictures = ["same"]\n[data.fewer]\npictures = ["fewer"]\n')
    code, out, _ = run("survey", file, "--plan", "--json", "--out", "OUT")
    assert code == 0
    rows = json.loads(out)["table"]["rows"]
    assert [row[3] for row in rows[:-1]] == [6, 6, 6, 6, 4, 4]
    assert len(measured) == 4  # two protocols, two numbers of images
