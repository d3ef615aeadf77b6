"""Cost of paths to full removal with dropped tokens, against full evaluation of blurred images with all tokens.

    python benchmarks/bench_tokens.py [--runs 3] [--threads 2] [--network vit_b_16] [--images 1] [--maps 4] [--scored 7]

A comparison of maps that are given, in both orders: the sequences of an image have equally many tokens at a step, and
go together. Same images, maps, regions (single patches) and steps; weights are random, which costs the same. Runs
alternate; medians are compared. Set-up (export, the trial of dropping) is done before the clock starts; the blur of
each run counts. The JSON holds every run.
"""

import argparse
import statistics
import time

import torch
import torchvision
from tables import Results

import heatproof as hp


def paths(network: hp.Network, images: torch.Tensor, replacement: str, options: argparse.Namespace) -> hp.Comparison:
    generator = torch.Generator().manual_seed(1)
    maps = {f"map {number}": torch.rand(images[:, 0].shape, generator=generator) for number in range(options.maps)}
    side = network.tokens(tuple(images.shape[1:])).grid.height
    given = {"replacement": replacement, "regions": side, "steps": "all", "scored": options.scored, "engine": "full"}
    return hp.compare(network, images, maps, protocol="coarse-blur", controls=False, audit=0, **given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--network", default="vit_b_16")
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--maps", type=int, default=4)
    parser.add_argument("--scored", type=int, default=7, help="steps that are scored; by default all")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    network = hp.Network(torchvision.models.get_model(options.network), device=options.device)
    images = torch.rand(options.images, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    network.check(images)
    seconds: dict[str, list[float]] = {"blur": [], "drop": []}
    processor: dict[str, list[float]] = {name: [] for name in seconds}  # less noisy where the machine is busy
    for round_number in range(options.runs + 1):  # the first round warms up
        for replacement, times in seconds.items():
            started, busy = time.perf_counter(), time.process_time()
            evaluations = paths(network, images, replacement, options).work.evaluations
            if round_number:
                times.append(time.perf_counter() - started)
                processor[replacement].append(time.process_time() - busy)
    details = {name: value for name, value in vars(options).items() if name not in ("threads",)}
    results = Results("tokens", ("heatproof", "torch", "torchvision"), threads=options.threads)
    clock, busy_for = (
        {name: statistics.median(found) for name, found in times.items()} for times in (seconds, processor)
    )
    for name, median in clock.items():
        cells = {"replacement": f"`{name}`", "seconds": median, "evaluations/s": evaluations / median}
        cells |= {"times as fast": clock["blur"] / median, "by processor time": busy_for["blur"] / busy_for[name]}
        results.add(cells, details | {"seconds": seconds[name], "processor": processor[name]})


if __name__ == "__main__":
    main()
