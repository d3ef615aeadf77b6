"""A run that is killed again and again ends as an undisturbed one does, and nothing that was whole is done twice."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NETWORKS = Path(__file__).parents[1] / "cli"
COMMAND = [sys.executable, "-c", "from heatproof.cli import main; main()", "compare", "photos"]
OPTIONS = [
    "--network", "tiny_networks:cnn", "--methods", "lrp-epsilon,sensitivity-l2", "--regions", "6", "--steps", "20",
    "--audit", "0", "--engine", "incremental",  # auto measures once for each run, and may cut two runs differently
]  # fmt: skip
IMAGES = 640  # 20 shards
LONGEST = 240  # seconds for a run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    (folder / "photos").mkdir()
    generator = np.random.default_rng(0)
    for number in range(IMAGES):
        Image.fromarray(generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(
            folder / f"photos/{number:04}.png"
        )
    finished(start(folder, "whole"))
    return folder


def start(folder, out, *options):
    where = os.pathsep.join([str(NETWORKS), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": where, "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, *OPTIONS, "--out", out, *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finished(process):
    out, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, err.decode()[-2000:]
    return out.decode()


def scores(run):
    return {path.name: path.read_bytes() for path in sorted((run / "shards").glob("*.parquet"))}


def logged(run):
    """How often each shard was done, as the log has it."""
    lines = (run / "log.jsonl").read_text().splitlines() if (run / "log.jsonl").is_file() else []
    events = [json.loads(line) for line in lines if line.endswith("}")]
    return Counter(event["shard"] for event in events if event["event"] == "shard done")


def wait_for_a_shard(run, before, process):
    """Until a shard more is whole than before, or the process has ended."""
    until = time.monotonic() + LONGEST
    while len(list((run / "shards").glob("*[0-9].json"))) <= before and process.poll() is None:
        assert time.monotonic() < until, "no shard became whole"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("where", "kills"), [((), 15), (("--on", "ray", "--workers", "2"), 5)], ids=["here", "on Ray"])
def test_kills_at_random_moments_change_nothing(folder, where, kills):
    if where and importlib.util.find_spec("ray") is None:
        pytest.skip('needs Ray: pip install "heatproof[ray]"')
    run = folder / ("ray" if where else "here")
    generator = np.random.default_rng(1)
    for _ in range(kills):
        before = len(list((run / "shards").glob("*[0-9].json")))
        process = start(folder, run.name, *where)
        wait_for_a_shard(run, before if before < IMAGES // 32 - 1 else -1, process)
        time.sleep(generator.uniform(0, 0.3))
        os.killpg(process.pid, signal.SIGKILL)  # the main process, and its workers where they are of its session
        process.communicate()  # closes its pipes
    finished(start(folder, run.name, *where))
    assert scores(run) == scores(folder / "whole")
    assert max(logged(run).values()) == 1
    assert [path for path in run.rglob("*.partial")] == []
