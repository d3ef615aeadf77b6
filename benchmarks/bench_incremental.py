"""Region perturbation: heatproof against Quantus and against the best plain batched loop, on the same work.

    python benchmarks/bench_incremental.py [--threads 2] [--rounds 3] [--networks vgg16 squeezenet1_0 …] [--out FILE]

Same images, heatmaps, order (most relevant first), 9 × 9 regions and replacement by uniform noise; one process, rounds
alternate, medians are compared. heatproof takes 100 steps, the filling of its memory included; its export and its
measurement of costs, once for each network, are shown on their own. The loops cost the same at every step, so they
take fewer (``--loop-steps``). The plain loop has batch norms folded, channels last, inference mode, and the batch size
that is best here. The roofline is a multiplication of 2048 × 2048 matrices in the same round; where the rest of the
time goes is read off one profiled run. "Every fifth step" removes as many regions, but wants a score only after each
fifth.
"""

import argparse
import copy
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import quantus
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

import heatproof as hp
from heatproof.network.incremental import dirty_regions
from heatproof.perturbation.engine import choose_for, evaluate
from heatproof.perturbation.orders import orders_of_heatmaps
from heatproof.perturbation.regions import as_regions
from heatproof.perturbation.scores import logit
from heatproof.perturbation.trajectories import Trajectories

NETWORKS = {  # how many images: enough for the engines to fill their batches
    "vgg16": 8, "squeezenet1_0": 16, "alexnet": 16, "resnet18": 16, "resnet50": 16, "googlenet": 16,
    "densenet121": 16, "efficientnet_lite0": 16, "mobilenet_v2": 16, "efficientnet_b0": 16, "convnext_tiny": 8,
    "vit_b_16": 8,
}  # fmt: skip
BATCH_SIZES = (4, 8, 16, 32)
MATRIX = 2048
REGION = 9
STEPS = 100
EVERY = 5  # of the skipped steps
MEMORY = 2**30
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


class Loop:
    """The plain loop: perturbed images go through the network in batches."""

    def __init__(self, module: nn.Module, images: Tensor, replacements: Tensor, removed_at: Tensor) -> None:
        folded = copy.deepcopy(module)
        try:
            folded = fuse(folded)
        except Exception as error:  # torch.fx cannot trace every network; those here have no batch norm to fold
            print(f"  the plain loop runs unfolded: {type(error).__name__}")
        self.module = folded.to(memory_format=torch.channels_last)
        self.images, self.replacements, self.removed_at = images, replacements, removed_at
        self.batch_size = min(BATCH_SIZES, key=lambda size: min(self._seconds(size) for _ in range(2)) / size)

    def _seconds(self, size: int) -> float:
        started = time.perf_counter()
        self._evaluate(torch.arange(size) % len(self.images), torch.zeros(size))
        return time.perf_counter() - started

    @torch.inference_mode()
    def _evaluate(self, image: Tensor, step: Tensor) -> Tensor:
        removed = self.removed_at[image] <= step[:, None, None]
        perturbed = torch.where(removed[:, None], self.replacements[image], self.images[image])
        return self.module(perturbed.contiguous(memory_format=torch.channels_last))

    def run(self, steps: int) -> int:
        """Evaluates so many steps; how many evaluations that were."""
        evaluations = torch.arange(len(self.images) * (steps + 1))
        for batch in evaluations.split(self.batch_size):
            self._evaluate(batch // (steps + 1), batch % (steps + 1))
        return len(evaluations)


class WithQuantus:
    """Quantus' own loop, as its documentation shows it."""

    def __init__(self, module: nn.Module, images: Tensor, heatmaps: Tensor, targets: Tensor) -> None:
        self.module = module
        self.arguments = (images.numpy(), targets.numpy(), heatmaps[:, None].numpy())

    def run(self, steps: int) -> int:
        """Evaluates so many steps; how many evaluations that were."""
        metric = quantus.RegionPerturbation(
            patch_size=REGION, regions_evaluation=steps, perturb_baseline="uniform", normalise=False,
            disable_warnings=True,
        )  # fmt: skip
        x_batch, y_batch, a_batch = (array.copy() for array in self.arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            metric(self.module, x_batch, y_batch, a_batch, softmax=False, device="cpu", batch_size=8)
        return len(x_batch) * (steps + 1)


class WithHeatproof:
    """Our engine, with what it does once measured apart."""

    def __init__(self, module: nn.Module, images: Tensor, heatmaps: Tensor, targets: Tensor) -> None:
        self.arguments = (images, heatmaps)
        self.shape = tuple(images.shape[1:])
        self.targets = targets
        self.once = {}
        started = time.perf_counter()
        self.network = hp.Network(module)
        missing = self.network.without_graph(self.shape)
        self.once["export"] = time.perf_counter() - started
        started = time.perf_counter()
        self.plan = None
        if missing is None:
            regions = as_regions(REGION, images[:1])
            self.plan = self.network.planner.plan(
                self.network.graph(self.shape), dirty_regions(regions), one_class=True
            )
        self.once["costs"] = time.perf_counter() - started

    def run(self, steps: int) -> int:
        """Evaluates so many steps; how many evaluations that were."""
        images, heatmaps = self.arguments
        curves = hp.perturb(
            self.network, images, heatmaps, targets=self.targets, regions=REGION, steps=steps, repeats=1
        )
        return curves.scores.numel()


class Skipping:
    """Our engine, where a score is wanted after some steps only: the regions in between go at once."""

    def __init__(
        self, network: hp.Network, images: Tensor, replacements: Tensor, regions: Tensor, order: Tensor
    ) -> None:
        orders = order[:, :, None]  # (n, 1, 1, L)
        steps = torch.arange(EVERY, STEPS + 1, EVERY)
        self.network = network
        self.sequences = Trajectories(
            images=images,
            replacements=replacements[:, None],
            regions=regions,
            orders=orders,
            targets=torch.arange(len(images)),
            scored=steps.expand(*orders.shape[:3], -1),
        )
        _, self.plan = choose_for(network, self.sequences, "auto", logit)

    def run(self) -> int:
        """Evaluates all scores that are wanted; how many these are."""
        scores = evaluate(
            self.network, self.sequences, logit, self.plan, memory=MEMORY, on_progress=lambda evaluations: None
        )
        return scores.numel()


def where_time_goes(run: Callable[[], Any]) -> dict[str, float]:
    """Shares of the time that kinds of operations take; the rest is Python and whatever else."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        seconds = _seconds(run)
    own = {event.key.removeprefix("aten::"): event.self_cpu_time_total / 1e6 for event in profile.key_averages()}
    shares = {kind: sum(own.get(name, 0.0) for name in names) / seconds for kind, names in KINDS.items()}
    shares["other operations"] = sum(own.values()) / seconds - sum(shares.values())
    return shares | {"Python": 1 - sum(shares.values())}


def matrix_rate() -> float:
    """Multiply-adds per second of a matrix product."""
    left, right = torch.rand(2, MATRIX, MATRIX)
    seconds = [_seconds(lambda: left @ right) for _ in range(5)]
    return MATRIX**3 / statistics.median(seconds)


def _seconds(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def measure(name: str, rounds: int, loop_steps: int, quantus_too: bool, size: int) -> dict[str, Any]:
    module, count = load(name), NETWORKS[name]
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 3, size, size, generator=generator)
    heatmaps = torch.rand(count, size, size, generator=generator)
    replacements = torch.rand(count, 3, size, size, generator=generator)
    targets = torch.arange(count)
    regions = as_regions(REGION, images)
    order = orders_of_heatmaps(
        heatmaps, regions, order="morf", steps=STEPS, seed=0, ids=[str(number) for number in range(count)]
    )
    ours = WithHeatproof(module, images, heatmaps, targets)
    contenders: dict[str, Callable[[], int]] = {"heatproof": lambda: ours.run(STEPS)}
    loop = Loop(module, images, replacements, _removed_at(regions, order[:, 0]))
    contenders["plain loop"] = lambda: loop.run(loop_steps)
    if ours.plan is not None and ours.plan.head:
        skipping = Skipping(ours.network, images, replacements, regions, order)
        contenders["every fifth step"] = skipping.run
    if quantus_too:
        theirs = WithQuantus(module, images, heatmaps, targets)
        contenders["quantus"] = lambda: theirs.run(loop_steps)
    rates: dict[str, list[float]] = {contender: [] for contender in (*contenders, "matrix product")}
    for round_number in range(rounds):
        rates["matrix product"].append(matrix_rate())
        names = list(contenders)
        for contender in names[round_number % len(names) :] + names[: round_number % len(names)]:
            started = time.perf_counter()
            evaluations = contenders[contender]()
            rates[contender].append(evaluations / (time.perf_counter() - started))
    medians = {contender: statistics.median(found) for contender, found in rates.items()}
    record = {"images": count, "batch_size_of_the_loop": loop.batch_size, "once": ours.once, "rates": rates}
    record |= {"medians": medians, "factor": medians["heatproof"] / medians["plain loop"]}
    if quantus_too:
        record["factor_quantus"] = medians["heatproof"] / medians["quantus"]
    record["time"] = where_time_goes(lambda: ours.run(STEPS // 4))
    return record | _work(ours, medians)


def _work(ours: WithHeatproof, medians: dict[str, float]) -> dict[str, Any]:
    """Multiply-adds in full and as planned, their ratio, and the share of the matrix product's rate that is reached."""
    if ours.plan is None:
        return {}
    full = ours.network.graph(ours.shape).multiply_adds
    needed = ours.plan.multiply_adds if ours.plan.head else full
    return {
        "multiply_adds": {"full": full, "step": needed, "ratio": full / needed},
        "roofline": needed * medians["heatproof"] / medians["matrix product"],
        "nodes": {"windows": len(ours.plan.head), "all": len(ours.plan.graph)},
    }


def _removed_at(regions: Tensor, order: Tensor) -> Tensor:
    steps = torch.full((len(order), int(regions.max()) + 2), order.shape[1] + 1)  # the last entry is for region −1
    steps.scatter_(1, order, torch.arange(1, order.shape[1] + 1).expand(order.shape))
    return steps.gather(1, (regions % steps.shape[1]).flatten(1)).reshape(regions.shape)


def lines(name: str, found: dict[str, Any]) -> Iterator[str]:
    medians = found["medians"]
    yield f"{name}: " + ", ".join(
        f"{contender} {rate:.1f}/s" for contender, rate in medians.items() if contender != "matrix product"
    )
    yield f"  {found['factor']:.2f} × the plain loop (batch {found['batch_size_of_the_loop']})" + (
        f", {found['factor_quantus']:.2f} × Quantus" if "factor_quantus" in found else ""
    )
    if "roofline" in found:
        work = found["multiply_adds"]
        yield (
            f"  {work['step'] / 1e9:.2f} of {work['full'] / 1e9:.2f} G multiply-adds ({work['ratio']:.2f} ×), "
            f"{found['nodes']['windows']} of {found['nodes']['all']} nodes on windows; "
            f"{found['roofline']:.0%} of the matrix product's {medians['matrix product'] / 1e9:.0f} G/s"
        )
    yield "  time: " + ", ".join(f"{kind} {share:.0%}" for kind, share in found["time"].items())
    yield "  once: " + ", ".join(f"{what} {seconds:.1f} s" for what, seconds in found["once"].items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop-steps", type=int, default=10)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS, metavar="NAME")
    parser.add_argument("--without-quantus", action="store_true")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = {}
    for name in options.networks:
        found[name] = measure(name, options.rounds, options.loop_steps, not options.without_quantus, options.size)
        print("\n".join(lines(name, found[name])), flush=True)
    record = {
        "machine": _machine(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": options.threads,
        "dtype": "float32",
        "size": options.size,
        "rounds": options.rounds,
        "steps": {"heatproof": STEPS, "loops": options.loop_steps},
        "versions": {name: version(name) for name in ("torch", "torchvision", "timm", "quantus", "heatproof")},
        "networks": found,
    }
    if options.out:
        options.out.write_text(json.dumps(record, indent=2) + "\n")


def _machine() -> str:
    """The processor's name, and what torch uses of it."""
    names = [line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    main()
