"""Every command that writes: whatever lies in and around its --out, and whatever goes wrong, no file is lost."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from heatproof.cli.application import INPUT_ERROR
from heatproof.runs.ledger import LEDGER, unrecorded_files
from heatproof.runs.lock import holder
from heatproof.studies.road import reading

TIMES = int(os.environ.get("HEATPROOF_FUZZ", "1"))
TINY = ("--network", "tiny_networks:cnn")
FEW = ("--regions", "12", "--steps", "2")
COMMANDS = {
    "compare": ("photos", *TINY, *FEW, "--methods", "sensitivity-l2", "--audit", "0", "--engine", "full"),
    "replacements": ("photos", *TINY, *FEW, "--method", "sensitivity-l2", "--replacements", "black,grey"),
    "assess": ("a.safetensors", "b.safetensors", "--data", "folder:photos", "--network", "tiny_networks:module",
               "--resize", "40", "--crop", "36", *FEW, "--method", "sensitivity-l2", "--no-labels"),
    "complexity": ("photos", *TINY, "--methods", "sensitivity-l2"),
    "explain": ("photos", *TINY, "--methods", "sensitivity-l2"),
    "merge": ("share1", "share2"),
    "statistics": ("photos", *TINY),
}  # fmt: skip
FILES = ("statistics",)  # what writes one file
REPLACING = tuple(name for name in COMMANDS if name not in FILES)
RESUMED = ("compare", "replacements", "assess", "complexity")
WRONG = {
    "a method": ("--methods", "sensitivity-l3"), "pictures": ("no-photos",), "a network": ("--network", "no:network"),
    "an option": ("--no-such-option",), "nothing": (),
}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Pictures, checkpoints, shares, and a result of each command."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "photos").mkdir()
    generator = np.random.default_rng(0)
    for number in range(2):
        pixels = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"photos/{number}.png")
    return folder


@pytest.fixture
def house(template, monkeypatch, run):
    """A folder to make a mess in, with what the commands need."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.chdir(template)
    if not (template / "share2").exists():
        import tiny_networks

        for name in ("a", "b"):
            save_file(
                {key: value + torch.rand(()) for key, value in tiny_networks.module().state_dict().items()},
                template / f"{name}.safetensors",
            )
        with monkeypatch.context() as patched:
            patched.setattr("heatproof.studies.road.driver.SIZE", 1)
            for share in "12":
                assert (
                    run(
                        "compare",
                        "--protocol=samek2017",
                        *COMMANDS["compare"],
                        "--share",
                        f"{share}/2",
                        "--out",
                        f"share{share}",
                    )[0]
                    == 0
                )
    house = template.with_name("house")  # always the same, since a run notes where its pictures lie

    def furnished(command, state):
        shutil.rmtree(house, ignore_errors=True)
        shutil.copytree(template, house, symlinks=True)
        monkeypatch.chdir(house)
        kept = template / f"RESULT-{command}"
        if state != "nothing" and not kept.exists():
            code, _, err = run(command, *COMMANDS[command], "--out", "RUN")
            assert code == 0, err
            shutil.move(house / "RUN", kept)
        if state != "nothing":
            copy = shutil.copy if kept.is_file() else shutil.copytree
            copy(kept, house / "RUN")
        return house

    return furnished


def files(folder):
    """Every file and link below a folder."""
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(parent, name)
            if path.is_dir() and not path.is_symlink():
                continue
            found[path.relative_to(folder)] = path.readlink() if path.is_symlink() else path.read_bytes()
    return found


def own(folder):
    """Files that heatproof wrote, as they are."""
    if not (folder / LEDGER).is_file():
        return set()
    others = {name.rstrip("/") for name in unrecorded_files(folder)}
    return {name for name in files(folder) if str(name) not in others}


# By hand: what was seen to be lost


@pytest.mark.parametrize("command", REPLACING)
def test_another_tools_folder_with_the_pictures_in_it_is_kept(run, house, command):
    folder = house(command, "nothing")
    (folder / "photos/run.json").write_text(json.dumps({"study": "compare", "schema": 3}))
    before = files(folder)
    for out in ("photos", ".", "", *([] if command == "merge" else ["photos/RUN"])):
        code, _, err = run(command, *COMMANDS[command], "--out", out, "--overwrite")
        assert code == INPUT_ERROR, (out, err)
    assert files(folder) == before


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("command", REPLACING)
def test_a_command_that_fails_leaves_the_earlier_result(run, house, command, wrong):
    folder = house(command, "result")
    before = files(folder)
    arguments = [*COMMANDS[command], *WRONG[wrong]]
    if wrong == "nothing":  # a picture, a checkpoint or a share that is not there
        arguments[0] = "gone"
    code, _, err = run(command, *arguments, "--out", "RUN", "--overwrite")
    assert (code, files(folder)) == (INPUT_ERROR, before), err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", REPLACING)
def test_a_thesis_in_a_result_is_named_and_kept(run, house, command):
    folder = house(command, "result")
    (folder / "RUN/thesis").mkdir()
    (folder / "RUN/thesis/a.txt").write_text("years of work")
    before = files(folder)
    code, _, err = run(command, *COMMANDS[command], "--out", "RUN", "--overwrite")
    assert (code, files(folder)) == (INPUT_ERROR, before)
    assert "holds files that heatproof did not write, or that were changed since: 'thesis/'" in err


@pytest.mark.parametrize("command", REPLACING)
def test_a_result_is_replaced_when_asked_and_only_then(run, house, command):
    folder = house(command, "result")
    before = files(folder)
    code, _, err = run(command, *COMMANDS[command], "--out", "RUN")
    if command in RESUMED:  # the same run is complete, and stays
        assert code == 0, err
    else:
        assert (code, files(folder)) == (INPUT_ERROR, before)
        assert "or replace the result there with --overwrite" in err
    code, _, err = run(command, *COMMANDS[command], "--out", "RUN", "--overwrite")
    assert code == 0, err
    assert {name for name in files(folder) if not name.is_relative_to("RUN")} == {
        name for name in before if not name.is_relative_to("RUN")
    }
    assert {name.relative_to("RUN") for name in before if name.is_relative_to("RUN")} == own(folder / "RUN")


@pytest.mark.parametrize("command", REPLACING)
def test_links_and_devices(run, house, command):
    folder = house(command, "result")
    (folder / "RUN").rename(folder / "ELSEWHERE")
    (folder / "RUN").symlink_to("ELSEWHERE")
    (folder / "DANGLING").symlink_to("gone")
    code, _, err = run(command, *COMMANDS[command], "--out", "RUN", "--overwrite")
    assert code == 0, err
    assert (folder / "RUN").is_symlink()
    assert not list(folder.glob(".*"))
    for out, message in (("DANGLING", "is a broken link"), ("/dev/null", "is a file; expected a folder")):
        code, _, err = run(command, *COMMANDS[command], "--out", out)
        assert (code, message in err) == (INPUT_ERROR, True), err


@pytest.mark.parametrize("start", ["", "file://", "LOCAL://"])
@pytest.mark.parametrize("out", ["share1", "share2", "..", "share1/RUN"])
def test_sources_of_a_merge_are_kept(run, house, out, start):
    folder = house("merge", "nothing")
    before = files(folder)
    code, _, err = run("merge", *(f"{start}{source}" for source in COMMANDS["merge"]), "--out", out, "--overwrite")
    assert (code, files(folder)) == (INPUT_ERROR, before), err


def test_what_another_version_or_command_left_beside_a_result_is_begun_anew(run, house):
    folder = house("replacements", "result")
    (folder / "RUN").rename(folder / ".RUN.heatproof-new")
    code, _, err = run("compare", "--protocol=samek2017", *COMMANDS["compare"], "--out", "RUN", "--overwrite")
    assert code == 0, err
    assert not list(folder.glob(".*"))


def test_a_report_is_of_the_run_that_it_writes(run, house, monkeypatch):
    def read(store):
        assert holder(store.path)
        return read_study(store)

    folder, read_study = house("compare", "result"), reading.read_study
    monkeypatch.setattr(reading, "read_study", read)
    assert run("report", "RUN")[0] == 0
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert run("report", "photos")[0] == INPUT_ERROR
    assert sorted(path.name for path in (folder / "photos").iterdir()) == ["0.png", "1.png"]


def test_a_study_file_may_not_ask_for_overwriting_or_for_places_elsewhere(run, house):
    folder = house("compare", "result")
    before = files(folder)
    (folder / "strange").mkdir()
    study = folder / "strange/study.toml"
    for line, message in (
        ("overwrite = true", "overwrite: no file may ask for that; give --overwrite on the command line"),
        ('out = "../RUN"', "may only write below its folder"),
        (f'out = "{folder}/RUN"', "may only write below its folder"),
        ('out = "~/RUN"', "may only write below its folder"),
        ('out = "memory://RUN"', "may only write below its folder"),
        ('out = ""', 'out: expected a text, got ""'),
    ):
        study.write_text(f'study = "compare"\npictures = ["../photos"]\nnetwork = "tiny_networks:cnn"\n{line}\n')
        code, _, err = run("compare", "--protocol=samek2017", study, *(() if "out" in line else ("--out", "RUN")))
        assert (code, message in err) == (INPUT_ERROR, True), (line, err)
    study.unlink()
    assert files(folder) == before


def test_home_is_where_a_shell_user_expects_it(run, house, monkeypatch, tmp_path):
    folder = house("compare", "nothing")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run("complexity", *COMMANDS["complexity"], "--out", "~/RUN")[0] == 0
    assert (tmp_path / "home/RUN/table.csv").is_file()
    assert not (folder / "~").exists()


def test_files_that_commands_write_are_never_over_others(run, house):
    folder = house("statistics", "result")
    before = files(folder)
    for out in ("RUN", "photos/0.png", "photos", "photos/mean.safetensors", "", "none/mean.safetensors"):
        code, _, err = run("statistics", *COMMANDS["statistics"], "--out", out)
        assert (code, files(folder)) == (INPUT_ERROR, before), err
    (folder / "there.toml").symlink_to("RUN")
    for out in ("RUN", "there.toml", "none/study.toml"):
        assert run("init", out)[0] == INPUT_ERROR
    (folder / "there.toml").unlink()
    assert files(folder) == before


def test_a_report_is_made_again_but_not_over_what_a_reader_changed(run, house):
    folder = house("compare", "result")
    page = (folder / "RUN/report.html").read_bytes()
    assert run("report", "RUN")[0] == 0
    assert (folder / "RUN/report.html").read_bytes() == page
    (folder / "RUN/table.md").write_text("with my remarks")
    code, _, err = run("report", "RUN")
    assert (code, "table.md' has changed since heatproof wrote it, so it is not replaced" in err) == (INPUT_ERROR, True)
    assert (folder / "RUN/table.md").read_text() == "with my remarks"


# Whatever lies there

OURS = ("run.json", "table.csv", "report.html", "lock", LEDGER, "log.jsonl", "shards/00000.json", "shards/00007.json",
        "heatmaps.zarr/zarr.json", "heatmaps.zarr/method-0/zarr.json", "0.sensitivity-l2.png")  # fmt: skip
NAMES = st.sampled_from([*OURS, "thesis/a.txt", "thesis", ".hidden", "a.partial", "photos", "heatmaps.zarr/notes"])
CONTENTS = st.sampled_from([b"theirs", b"{}", b'{"study": "compare", "schema": 3, "versions": {"heatproof": "9"}}'])
PLACES = st.sampled_from(["RUN", "RUN", ".RUN.heatproof-new", ".", "photos"])
OUTS = st.sampled_from(["RUN"] * 6 + ["./RUN/", "link", "photos", "photos/RUN", ".", "..", "", "~", "share1", "RUN/x"])


@settings(max_examples=8 * TIMES, suppress_health_check=list(HealthCheck), deadline=None, derandomize=TIMES == 1)
@given(
    st.sampled_from(["nothing", "result"]), st.lists(st.tuples(PLACES, NAMES, CONTENTS), max_size=3), OUTS,
    st.booleans(), st.sampled_from([*WRONG, *["fine"] * 4]),
)  # fmt: skip
@pytest.mark.parametrize("command", COMMANDS)
def test_whatever_lies_there_is_there_afterwards(run, house, command, state, planted, out, overwrite, wrong):
    folder = house(command, state)
    (folder / "link").symlink_to("RUN")
    for place, name, content in planted:
        path = folder / place / name
        if not any(above.is_file() for above in path.parents) and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    result = folder / "RUN"
    before, ours = files(folder), {Path("RUN") / name for name in own(result)} if command not in FILES else set()
    if command != "merge" and out == "share1" and overwrite:  # another result, and nothing that the command reads
        ours |= {Path("share1") / name for name in own(folder / "share1")}
    arguments = [*COMMANDS[command], *WRONG.get(wrong, ())]
    options = ["--overwrite"] if overwrite and command not in FILES else []
    code, _, err = run(command, *arguments, "--out", out, *options)
    after = files(folder)
    assert "Traceback" not in err
    theirs = {name: content for name, content in before.items() if name not in ours}
    assert {name: after.get(name) for name in theirs} == theirs
    replaced = code == 0 and out in ("RUN", "./RUN/", "link")
    if ours and not replaced:
        growing = ("log.jsonl", "lock", LEDGER)  # of a run that was resumed
        kept = [name for name in ours if name.name not in growing and not (code == 0 and name.is_relative_to(out))]
        assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}
    assert not any(name.parts[0].endswith("heatproof-replaced") for name in after)
