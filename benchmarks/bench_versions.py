"""Speed of two versions of heatproof against each other: LRP, and 100 steps with the incremental engine.

    python benchmarks/bench_versions.py ../old . [--processes 7] [--rounds 7] [--networks resnet18 …]

Both folders are checkouts. Each version lives in a process of its own; the two do the same work in turns, the one that
begins changing from round to round. Memory lies differently in each process, so that the same code may be 5 % faster or
slower in it as long as it lives: the processes are started anew PROCESSES times. What is shown is the median over them
of the ratio after / before (each the median of its rounds), with the smallest and the largest.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import torch
import torchvision
from torch import Tensor

import heatproof as hp
from heatproof.heatmaps import METHODS

RULES = ("lrp-epsilon", "lrp-alphabeta")
LRP_BATCH, STEPS_BATCH = 8, 4


def relevance(rule: str, network: hp.Network, images: Tensor, targets: Tensor) -> object:
    """One heatmap for each image."""
    return METHODS.resolve(rule)(network.forward_pass(images, targets))


def serve(name: str) -> None:
    """Does one piece of work for each line of the input, and answers with its seconds."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    network = hp.Network(torchvision.models.get_model(name).eval().requires_grad_(False))
    images = torch.rand(LRP_BATCH, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    targets = network.predict(images)
    heatmaps = torch.rand(STEPS_BATCH, 224, 224, generator=torch.Generator().manual_seed(1))
    works = {rule: partial(relevance, rule, network, images, targets) for rule in RULES}
    works["100 steps"] = lambda: hp.perturb(
        network, images[:STEPS_BATCH], heatmaps, targets=targets[:STEPS_BATCH], repeats=1, engine="incremental"
    )
    for line in sys.stdin:
        started = time.perf_counter()
        works[line.strip()]()
        print(json.dumps(time.perf_counter() - started), flush=True)


class Version:
    """A process of one version."""

    def __init__(self, checkout: Path, name: str, threads: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", name],
            env=os.environ | {"PYTHONPATH": str(checkout.resolve() / "src"), "OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def seconds(self, work: str) -> float:
        """How long it takes to do one piece of work."""
        print(work, file=self.process.stdin, flush=True)
        return float(json.loads(self.process.stdout.readline()))

    def end(self) -> None:
        """Lets the process go."""
        self.process.stdin.close()
        self.process.wait()


def in_turns(versions: list[Version], work: str, rounds: int) -> list[float]:
    """Median seconds of each version."""
    seconds: list[list[float]] = [[], []]
    for number in range(rounds + 1):  # the first round warms up
        for index in (0, 1) if number % 2 else (1, 0):
            taken = versions[index].seconds(work)
            if number:
                seconds[index].append(taken)
    return [statistics.median(times) for times in seconds]


def compare(options: argparse.Namespace, name: str) -> None:
    """Prints one line for each kind of work with one network."""
    medians: dict[str, list[list[float]]] = {work: [] for work in (*RULES, "100 steps")}
    for _ in range(options.processes):
        versions = [Version(checkout, name, options.threads) for checkout in options.checkouts]
        for work, found in medians.items():
            found.append(in_turns(versions, work, options.rounds))
        for version in versions:
            version.end()
    print(f"{name}, {options.threads} threads, {options.processes} processes: seconds before, after; ratio [range]")
    for work, found in medians.items():
        before, after = (statistics.median(times) for times in zip(*found, strict=True))
        ratios = [new / old for old, new in found]
        spread = f"[{min(ratios):.3f}, {max(ratios):.3f}]"
        print(f"  {work:14s} {before:7.3f} {after:7.3f}   {statistics.median(ratios):.3f} {spread}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", nargs="*", type=Path, help="before, after")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--networks", nargs="+", default=["squeezenet1_0", "resnet18", "mobilenet_v2"])
    parser.add_argument("--processes", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    for name in options.networks:
        compare(options, name)


if __name__ == "__main__":
    main()
