"""Where the time of a first, small comparison goes: ten photographs, ResNet-18, four methods, all defaults.

    python benchmarks/bench_first_minute.py SHARED [--runs 3] [--photographs 10]

SHARED is the folder with data (ILSVRC2012) and weights; without them, built-in photographs and the network of the demo
are taken. Each run is ``heatproof compare`` in a process of its own; phases are read from the log and the shards of the
run, and medians over the runs are shown. *Start* lasts until the first image is evaluated: imports, the network, its
graph, measuring what its nodes cost. *Page* is all that comes after the audit: tables, figures, the page, the end of
the process.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from tables import Results

METHODS = "lrp-epsilon-gamma-box,lrp-alphabeta,gradient-x-input,sensitivity-l2"
PACKAGES = ("heatproof", "torch", "torchvision")
PHASES = ("start", "heatmaps", "evaluations", "rest of the shards", "audit", "page")


def inputs(shared: Path | None, photographs: int) -> list[str]:
    """Pictures and network, as words of the command."""
    weights = shared and shared / "weights" / "resnet18_imagenet.safetensors"
    pictures = sorted((shared / "data" / "ilsvrc2012-sample" / "images").iterdir()) if shared else []
    if weights is None or not weights.exists() or not pictures:
        print("built-in photographs and the network of the demo")
        return ["builtin", "--images", str(photographs)]
    chosen = pictures[:: max(1, len(pictures) // photographs)][:photographs]
    return [*map(str, chosen), "--network", "torchvision:resnet18", "--weights", str(weights)]


def phases(words: list[str], threads: int) -> tuple[dict[str, float], dict[str, int]]:
    """Seconds of each phase of one run, and counts of what was done in it."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "RUN")
        command = [sys.executable, "-m", "heatproof", "compare", *words, "--methods", METHODS, "--out", str(run)]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        started = time.time()
        subprocess.run([*command, "--quiet"], check=True, env=environment, stdout=subprocess.DEVNULL)
        ended = time.time()
        shards = [json.loads(file.read_text()) for file in sorted((run / "shards").glob("*.json"))]
        audit = run / "audit" / "audit.json"
        audited = json.loads(audit.read_text()) if audit.exists() else {"seconds": 0.0, "evaluations": 0}
        events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    done = [event for event in events if event["event"] == "shard done"]
    first, last = done[0], done[-1]
    seconds = {key: sum(shard[f"{key}_seconds"] for shard in shards) for key in ("heatmap", "perturbation")}
    start = _time(first) - first["seconds"] - started
    after = ended - _time(last)
    found = {
        "start": start,
        "heatmaps": seconds["heatmap"],
        "evaluations": seconds["perturbation"],
        "rest of the shards": ended - started - start - after - sum(seconds.values()),
        "audit": audited["seconds"],
        "page": after - audited["seconds"],
    }
    return found, {"evaluations": sum(shard["evaluations"] for shard in shards), "audit": audited["evaluations"]}


def _time(event: dict[str, str]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--photographs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    words = inputs(options.shared, options.photographs)
    runs = [phases(words, options.threads) for _ in range(options.runs)]
    counts = runs[-1][1]
    results = Results("first_minute", PACKAGES, threads=options.threads)
    until = 0.0
    for phase in PHASES:
        seconds = [found[phase] for found, _ in runs]
        until += statistics.median(seconds)
        cells = {"phase": phase, "seconds": statistics.median(seconds), "until, s": until}
        results.add(cells | {"network evaluations": counts.get(phase)}, {"seconds": seconds})


if __name__ == "__main__":
    main()
