"""Cost of a path to full removal with dropped tokens, against full evaluation of blurred images with all tokens.

    python benchmarks/bench_tokens.py [--runs 3] [--threads 2] [--network vit_b_16] [--images 1] [--scored 14]

Same images, maps, regions (single patches) and steps; weights are random, which costs the same. Runs
alternate; medians are compared. Set-up (export, the trial of dropping, blurred images) is done before the clock starts,
but for the blur of each run. The JSON holds every run.
"""

import argparse
import json
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import torch
import torchvision

import heatproof as hp


def path(network: hp.Network, images: torch.Tensor, replacement: str, side: int, scored: int | None) -> hp.Curves:
    given = {"replacement": replacement, "regions": side, "steps": "all", "scored": scored, "engine": "full"}
    return hp.perturb(network, images, images.sum(dim=1), **given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--network", default="vit_b_16")
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--scored", type=int, default=None, help="steps that are scored; by default all")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    network = hp.Network(torchvision.models.get_model(options.network), device=options.device)
    images = torch.rand(options.images, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    network.check(images)
    patches = network.tokens((3, 224, 224)).grid
    seconds: dict[str, list[float]] = {"blur": [], "drop": []}
    processor: dict[str, list[float]] = {name: [] for name in seconds}  # less noisy where the machine is busy
    for round_number in range(options.runs + 1):  # the first round warms up
        for replacement, times in seconds.items():
            started, busy = time.perf_counter(), time.process_time()
            path(network, images, replacement, patches.height, options.scored)
            if round_number:
                times.append(time.perf_counter() - started)
                processor[replacement].append(time.process_time() - busy)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    scored = options.scored or patches.count
    print(
        f"{options.network}, {scored} of {patches.count} steps of one patch, medians of {options.runs} alternating runs"
    )
    for name, median in medians.items():
        print(f"  {name:6s} {median:7.2f} s   {options.images * (scored + 1) / median:7.1f} evaluations a second")
    spent = {name: statistics.median(times) for name, times in processor.items()}
    print(f"  drop is {medians['blur'] / medians['drop']:.2f} times as fast, by processor time", end=" ")
    print(f"{spent['blur'] / spent['drop']:.2f} times")
    if options.out:
        versions = {name: version(name) for name in ("torch", "heatproof")}
        machine = platform.processor() or platform.machine()
        record = {"machine": machine, "versions": versions, "seconds": seconds, "processor": processor}
        options.out.write_text(json.dumps(record | vars(options) | {"out": str(options.out)}, indent=2))


if __name__ == "__main__":
    main()
