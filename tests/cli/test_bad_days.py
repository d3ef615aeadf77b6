"""What may happen to a run, for real: no memory, no room on the disk, NaN, pictures that go. Finished shards stay."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.disks import small_disk

from heatproof import cli
from heatproof.data import source
from heatproof.studies.road import driver

HERE = Path(__file__).parent
OPTIONS = ("--methods", "sensitivity-l2,sobel", "--regions", "9", "--steps", "3", "--audit", "0", "--engine", "full")


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(driver, "SIZE", 4)


def draw(folder, count, white=9):
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        pixels = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels if number != white else np.full_like(pixels, 255)).save(folder / f"{number:02}.png")


@pytest.fixture
def compare(run, tmp_path, monkeypatch):
    """Compares on 14 pictures: 4 shards, of which the third holds a white one."""
    draw(tmp_path / "photos", 14)

    def call(out, *options, mood="fine", pictures="photos", network="moody"):
        monkeypatch.setenv("MOOD", mood)
        return run(
            "compare",
            "--protocol=samek2017",
            pictures,
            "--network",
            f"tiny_networks:{network}",
            "--out",
            out,
            *OPTIONS,
            *options,
        )

    return call


def scores(run):
    return {path.name: path.read_bytes() for path in sorted(Path(run, "shards").glob("*.parquet"))}


def whole(run):
    return sorted(path.stem for path in Path(run, "shards").glob("*.json"))


def set_aside(run):
    return {path.stem: json.loads(path.read_text()) for path in sorted(Path(run, "failed").glob("*.json"))}


@pytest.mark.parametrize(
    ("mood", "says", "tries"),
    [
        ("hungry", r"can't allocate memory: you tried to allocate 1073741824 bytes.*; memory ran out: end other", 2),
        ("nan", r"the heatmap of sensitivity-l2 for image number 1 is not finite|scores are not finite", 1),
    ],
)
def test_a_shard_without_memory_or_without_numbers_is_set_aside(compare, mood, says, tries):
    assert compare("WHOLE")[0] == 0
    code, _, err = compare("RUN", mood=mood)
    assert code == cli.PARTIAL
    assert "1 shard could not be computed (failed/)" in err
    assert whole("RUN") == ["00000", "00001", "00003"]
    ((number, report),) = set_aside("RUN").items()
    assert (number, report["tries"]) == ("00002", tries)
    assert re.search(says, report["error"], re.DOTALL)
    assert scores("RUN").items() < scores("WHOLE").items()
    code, _, err = compare("RUN")
    assert (code, scores("RUN") == scores("WHOLE")) == (0, True), err
    assert "could not be computed" not in err


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")],
)
def test_memory_that_runs_out_outside_of_shards_is_one_message(compare, monkeypatch, error):
    def fail(*_args, **_kwargs):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("heatproof.studies.comparison.Comparison.derived", fail)
        code, _, err = compare("RUN")
    assert code == cli.application.OUT_OF_MEMORY == 71
    assert "heatproof: memory ran out: end other programs" in err
    assert "Traceback" not in err
    before = scores("RUN")
    assert len(before) == 8
    assert compare("RUN")[0] == 0
    assert scores("RUN") == before


def test_a_network_without_numbers_is_refused_before_anything_is_written(compare, tmp_path):
    code, _, err = compare("RUN", network="nan")
    assert (code, "not finite" in err) == (cli.INPUT_ERROR, True)
    assert not (tmp_path / "RUN").exists()


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def everything(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock"}


def test_a_run_on_a_disk_that_fills_and_turns_read_only(compare, run, tmp_path):
    assert compare("WHOLE")[0] == 0
    disk = tmp_path / "disk"
    with small_disk(disk, "200k"):
        code, _, err = compare(disk / "RUN")
        assert code == cli.DISK_ERROR
        assert "No space left on device; make room and start again; what was finished is kept" in err
        kept = scores(disk / "RUN")
        assert 0 < len(whole(disk / "RUN")) < 4
        assert {name: data for name, data in scores("WHOLE").items() if name[:5] in whole(disk / "RUN")}.items() <= (
            kept.items()
        )
        assert list(disk.rglob("*.partial")) == []
        remount(disk, "ro")
        before = everything(disk)
        for command in (lambda: compare(disk / "RUN"), lambda: run("report", disk / "RUN")):
            code, _, err = command()
            assert code == cli.DISK_ERROR
            assert "Read-only file system; choose a folder that you may write to" in err
        assert run("status", disk / "RUN")[0] == 0
        assert everything(disk) == before
        remount(disk, "rw,size=20m")
        assert compare(disk / "RUN")[0] == 0
        assert scores(disk / "RUN") == scores("WHOLE")


def test_a_run_cannot_begin_on_a_read_only_disk(compare, tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, "1m"):
        remount(disk, "ro")
        code, _, err = compare(disk / "RUN")
        assert code == cli.DISK_ERROR
        assert "Read-only file system" in err


def test_pictures_that_go_while_a_run_is_on_are_skipped_and_missed_when_it_goes_on(compare, tmp_path, monkeypatch):
    photos, read = tmp_path / "photos", source.read_shard

    def spoil(dataset, numbers, preprocessing):
        if 4 in numbers:  # the first shard is whole by then
            (photos / "05.png").unlink(missing_ok=True)
            (photos / "06.png").write_bytes((photos / "06.png").read_bytes()[:300])
        return read(dataset, numbers, preprocessing)

    with monkeypatch.context() as patch:
        patch.setattr(source, "read_shard", spoil)
        code, _, err = compare("RUN")
    assert code == cli.PARTIAL
    assert "05.png" in err
    assert "06.png" in err
    assert whole("RUN") == ["00000", "00001", "00002", "00003"]
    code, _, err = compare("RUN")
    assert code == cli.INPUT_ERROR
    assert "members: 14 then, 13 now" in err
    draw(tmp_path / "again", 14)
    (tmp_path / "again" / "05.png").rename(photos / "05.png")
    assert compare("RUN")[0] == cli.PARTIAL  # a whole shard is not done again
    assert len(whole("RUN")) == 4


def in_a_process(out, *options, mood):
    """The command in a process of its own, with shards of 32."""
    where = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": where, "COLUMNS": "300", "OMP_NUM_THREADS": "1", "MOOD": mood}
    command = [sys.executable, "-c", "from heatproof.cli import main; main()", "compare", "photos"]
    arguments = [*command, "--protocol=samek2017", "--network", "tiny_networks:moody", "--out", out, *OPTIONS, *options]
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.slow
def test_the_system_kills_the_process(tmp_path):
    draw(tmp_path / "photos", 70, white=40)
    first = in_a_process("RUN", mood="killed")
    assert first.returncode == -9
    assert whole("RUN") == ["00000"]
    kept = scores("RUN")
    second = in_a_process("RUN", mood="fine")
    assert second.returncode == 0, second.stderr[-2000:]
    assert len(whole("RUN")) == 3
    assert kept.items() <= scores("RUN").items()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason='needs Ray: pip install "heatproof[ray]"')
@pytest.mark.parametrize(
    ("mood", "says"), [("hungry", "can't allocate memory"), ("killed", "the worker died")], ids=["refused", "killed"]
)
def test_a_worker_on_ray_out_of_memory(tmp_path, mood, says):
    draw(tmp_path / "photos", 100)
    assert in_a_process("WHOLE", mood="fine").returncode == 0
    first = in_a_process("RUN", "--on", "ray", "--workers", "2", mood=mood)
    assert first.returncode == cli.PARTIAL, first.stderr[-2000:]
    assert "1 shard could not be computed" in first.stderr
    ((number, report),) = set_aside("RUN").items()
    assert (number, report["tries"], says in report["error"]) == ("00000", 3, True)
    assert whole("RUN") == ["00001", "00002", "00003"]
    assert in_a_process("RUN", "--on", "ray", "--workers", "2", mood="fine").returncode == 0
    assert scores("RUN") == scores("WHOLE")
