"""Region perturbation: heatproof against Quantus and against the best plain batched loop, on the same work.

    python benchmarks/bench_incremental.py [--networks vgg16 squeezenet1_0 …] [--rounds 3] [--loop-steps 5] [--resume]

Same images, heatmaps, order (most relevant first), 9 × 9 regions and replacement by uniform noise; one process, rounds
alternate, medians are compared. heatproof takes 100 steps, the filling of its memory included (20 where the network is
evaluated in full, and each step costs the same); its export and its measurement of costs, once for each network, are
shown on their own. The loops cost the same at every step, so they take fewer (``--loop-steps``). The plain loop has
batch norms folded, channels last, inference mode, and the batch size that is best here. The compiled loop is the same
one under ``torch.compile`` (inductor, constants folded); compiling is timed on its own, on one core and without a
cache, and given up after ``--compile-limit`` seconds. The roofline is a multiplication of 2048 × 2048 matrices in the
same round; where the rest of the time goes is read off one profiled run. "In full" is heatproof's other engine, which
evaluates whole images as the plain loop does. "Every fifth" removes as many regions, but wants a score only after each
fifth step.

Rows are in ``results/incremental.json`` as soon as a network is measured; ``--resume`` passes over those that are
there.
"""

import argparse
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import timm
import torch
import torchvision
from contenders import IN_FULL, REGION, STEPS, Loop, Skipping, WithHeatproof, WithQuantus, removed_at, seconds_of
from tables import Results
from torch import nn

from heatproof.perturbation.orders import orders_of_heatmaps
from heatproof.perturbation.regions import as_regions

NETWORKS = {  # name, and how many images: enough for the engines to fill their batches, fewer where they are slow
    "vgg16": ("VGG-16", 8),
    "squeezenet1_0": ("SqueezeNet 1.0", 16),
    "alexnet": ("AlexNet", 16),
    "resnet18": ("ResNet-18", 16),
    "resnet50": ("ResNet-50", 8),
    "googlenet": ("GoogLeNet", 16),
    "densenet121": ("DenseNet-121", 8),
    "mobilenet_v2": ("MobileNet v2", 16),
    "efficientnet_lite0": ("EfficientNet-Lite0", 16),
    "efficientnet_b0": ("EfficientNet-B0", 16),
    "convnext_tiny": ("ConvNeXt-T", 8),
    "vit_b_16": ("ViT-B/16", 8),
}
PACKAGES = ("heatproof", "torch", "torchvision", "timm", "quantus")
MATRIX = 2048
KINDS = {  # what the profiler's names stand for
    "products": ("mkldnn_convolution", "addmm", "mm", "bmm", "thnn_conv2d", "_slow_conv2d_forward"),
    "moving": ("index_select", "index", "copy_", "cat", "_index_put_impl_", "fill_", "constant_pad_nd"),
    "pooling": ("max_pool2d_with_indices", "avg_pool2d", "mean", "_adaptive_avg_pool2d"),
}


def load(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "efficientnet_lite0":
        return timm.create_model(name).eval().requires_grad_(False)
    extra = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, **extra).eval().requires_grad_(False)


def where_time_goes(run: Callable[[], Any]) -> dict[str, float]:
    """Shares of the time that kinds of operations take; the rest is Python and whatever else."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        seconds = seconds_of(run)
    own = {event.key.removeprefix("aten::"): event.self_cpu_time_total / 1e6 for event in profile.key_averages()}
    shares = {kind: sum(own.get(name, 0.0) for name in names) / seconds for kind, names in KINDS.items()}
    shares["other operations"] = sum(own.values()) / seconds - sum(shares.values())
    return shares | {"Python": 1 - sum(shares.values())}


def matrix_rate() -> float:
    """Multiply-adds per second of a matrix product."""
    left, right = torch.rand(2, MATRIX, MATRIX)
    seconds = [seconds_of(lambda: left @ right) for _ in range(5)]
    return MATRIX**3 / statistics.median(seconds)


def compiled(loop: Loop, limit: int) -> tuple[Loop | None, str | float | None]:
    """The compiled loop, if it can be had within so many seconds, and how long compiling took, or why it is missing."""
    if not limit:
        return None, None
    other, started = loop.compiled(), time.perf_counter()
    try:
        with limited(limit):
            other.seconds(loop.batch_size)
    except Exception as error:  # inductor wraps whatever stops it, our limit included
        late = time.perf_counter() - started >= limit
        return None, f"more than {limit}" if late else f"fails ({type(error).__name__})"
    return other, time.perf_counter() - started


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raises a TimeoutError after so many seconds."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"more than {seconds} seconds")

    earlier = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)


def measure(name: str, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """The row of a network, and what stands behind it."""
    module, (title, count) = load(name), NETWORKS[name]
    generator, size = torch.Generator().manual_seed(0), options.size
    images = torch.rand(count, 3, size, size, generator=generator)
    heatmaps = torch.rand(count, size, size, generator=generator)
    replacements = torch.rand(count, 3, size, size, generator=generator)
    targets = torch.arange(count)
    regions = as_regions(REGION, images)
    order = orders_of_heatmaps(
        heatmaps, regions, order="morf", steps=STEPS, seed=0, ids=[str(number) for number in range(count)]
    )
    ours = WithHeatproof(module, images, heatmaps, targets)
    loop = Loop(module, images, replacements, removed_at(regions, order[:, 0]))
    compiled_loop, compiling = compiled(loop, options.compile_limit)
    theirs = WithQuantus(module, images, heatmaps, targets)
    contenders: dict[str, Callable[[], int]] = {
        "heatproof": lambda: ours.run(ours.steps),
        "plain loop": lambda: loop.run(options.loop_steps),
        "quantus": lambda: theirs.run(options.loop_steps),
    }
    if compiled_loop:
        contenders["compiled loop"] = lambda: compiled_loop.run(options.loop_steps)
    if ours.on_windows:
        contenders["in full"] = lambda: ours.run(IN_FULL, engine="full")
        contenders["every fifth"] = Skipping(ours.network, images, replacements, regions, order).run
    rates = in_turns(contenders, options.rounds)
    medians = {contender: statistics.median(found) for contender, found in rates.items()}
    details = {"images": count, "size": size, "rounds": options.rounds, "loop_steps": options.loop_steps}
    details |= {"batch_size_of_the_loop": loop.batch_size, "once": ours.once, "rates": rates}
    details |= {"time": where_time_goes(lambda: ours.run(IN_FULL)), "multiply_adds": ours.multiply_adds}
    return row(title, ours, medians, compiling), details


def in_turns(contenders: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Evaluations a second of each, and multiply-adds a second of a matrix product, in each round."""
    rates: dict[str, list[float]] = {contender: [] for contender in (*contenders, "matrix product")}
    names = list(contenders)
    for number in range(rounds):
        rates["matrix product"].append(matrix_rate())
        first = number % len(names)
        for contender in names[first:] + names[:first]:
            started = time.perf_counter()
            evaluations = contenders[contender]()
            rates[contender].append(evaluations / (time.perf_counter() - started))
    return rates


def row(title: str, ours: WithHeatproof, medians: dict[str, float], compiling: str | float | None) -> dict[str, Any]:
    """Cells of a network."""
    rate, work = medians["heatproof"], ours.multiply_adds
    factors = {other: rate / medians[other] for other in medians if other != "heatproof"}
    return {
        "network": title,
        "evaluations/s": rate,
        "× plain loop": factors["plain loop"],
        "× compiled loop": factors.get("compiled loop"),
        "compiling, s": compiling,
        "× Quantus": factors["quantus"],
        "in full, × plain loop": medians.get("in full", rate) / medians["plain loop"],
        "every fifth, scores/s": medians.get("every fifth"),
        "fewer": work["full"] / work["step"] if work else None,
        "nodes on windows": f"{len(ours.plan.head)} of {len(ours.plan.graph)}" if ours.on_windows else "in full",
        "roofline, %": 100 * work["step"] * factors["matrix product"] if work else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop-steps", type=int, default=5)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS, metavar="NAME")
    parser.add_argument("--compile-limit", type=int, default=60, help="seconds; 0: no compiled loop")
    parser.add_argument("--resume", action="store_true", help="pass over networks that have a row")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = Results("incremental", PACKAGES, threads=options.threads)
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # nothing goes on where compiling is given up
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        for name in options.networks:
            if not (options.resume and results.has(NETWORKS[name][0])):
                results.add(*measure(name, options))
    results.sort([title for title, _ in NETWORKS.values()])


if __name__ == "__main__":
    main()
