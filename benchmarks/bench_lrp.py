"""Cost of LRP against the gradient and against Zennit, in one process on the same images.

    python benchmarks/bench_lrp.py [--runs 7] [--threads 2] [--networks squeezenet1_0 vgg16]

Runs alternate; medians are compared. The gradient is a plain forward and backward pass by autograd, in the faster of
two memory layouts. Set-up (export, weights split by sign) is done before the clock starts. The JSON holds every run.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
import torchvision
import zennit.composites as zc
import zennit.rules as zr
from torch import Tensor, nn
from zennit.types import Linear

import heatproof as hp
from heatproof.heatmaps import METHODS


def gradient(module: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    leaf = images.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    score = module(leaf).gather(1, targets[:, None]).sum()
    return torch.autograd.grad(score, leaf)[0]


def with_zennit(rule: object, module: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    composite = zc.LayerMapComposite([*zc.layer_map_base(), (Linear, rule)])
    with composite.context(module) as hooked:
        leaf = images.clone().requires_grad_()
        logits = hooked(leaf)
        start = torch.zeros_like(logits).scatter(1, targets[:, None], logits.detach().gather(1, targets[:, None]))
        return torch.autograd.grad(logits, leaf, start)[0]


def contenders(name: str, images: Tensor) -> dict[str, Callable[[], object]]:
    torch.manual_seed(0)
    module = torchvision.models.get_model(name).eval().requires_grad_(False)
    network = hp.Network(module)
    targets = network.predict(images)
    last = torchvision.models.get_model(name).eval().requires_grad_(False)
    last.load_state_dict(module.state_dict())
    last.to(memory_format=torch.channels_last)
    images_last = images.contiguous(memory_format=torch.channels_last)
    runs: dict[str, Callable[[], object]] = {
        "gradient (channels first)": lambda: gradient(module, images, targets),
        "gradient (channels last)": lambda: gradient(last, images_last, targets),
        "zennit epsilon": lambda: with_zennit(zr.Epsilon(0.01), module, images, targets),
        "zennit alphabeta": lambda: with_zennit(zr.AlphaBeta(2, 1), module, images, targets),
    }
    for spec in ("lrp-epsilon", "lrp-alphabeta"):
        method = METHODS.resolve(spec)
        runs[f"heatproof {spec.removeprefix('lrp-')}"] = lambda method=method: method(
            network.forward_pass(images, targets)
        )
    return runs


def measure(runs: dict[str, Callable[[], object]], count: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(count + 1):  # the first round warms up
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if round_number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--networks", nargs="+", default=["squeezenet1_0", "vgg16"])
    parser.add_argument("--out", type=Path, default=None, help="a JSON file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    images = torch.rand(options.batch, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    found = {}
    for name in options.networks:
        seconds = measure(contenders(name, images), options.runs)
        medians = {run: statistics.median(times) for run, times in seconds.items()}
        best = min(medians["gradient (channels first)"], medians["gradient (channels last)"])
        print(f"{name}, batch {options.batch}, {options.threads} threads, medians of {options.runs} alternating runs")
        for run, median in medians.items():
            print(f"  {run:28s} {median:7.3f} s   {median / best:5.2f} × the gradient")
        for rule in ("epsilon", "alphabeta"):
            print(f"  zennit / heatproof {rule}: {medians[f'zennit {rule}'] / medians[f'heatproof {rule}']:.2f}")
        found[name] = {"seconds": seconds, "medians": medians}
    versions = {name: version(name) for name in ("torch", "zennit", "heatproof")}
    record = {"machine": platform.processor() or platform.machine(), "versions": versions, "networks": found}
    if options.out:
        options.out.write_text(json.dumps(record | {"threads": options.threads, "batch": options.batch}, indent=2))


if __name__ == "__main__":
    main()
