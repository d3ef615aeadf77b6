"""Evaluations per second of heatproof and of plain loops on one device, in float32, TF32 and bfloat16.

    python benchmarks/bench_gpu.py [--device cuda] [--seconds 240] [--out FOLDER] [--small]

Images are perturbed at every step of a random order. The plain loop puts ``where(removed_at <= k, replacement, image)``
of many steps into one batch, as a careful user would write it, eager and under ``torch.compile``; heatproof does it
with each of its engines. Weights are random, which costs the same, and nothing is downloaded. What does not fit into
the seconds is left out, and the table says so. Exporting, compiling and the first round are not in the times. One JSON
and one Markdown table are written; their names hold the device and the version of torch.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

import heatproof as hp
from heatproof.network.exact import multiplying

NETWORKS = ("resnet18", "resnet50", "vgg16", "vit_b_16")
PRECISIONS = ("float32", "tf32", "bf16")
ROUNDS = 3


@dataclass
class Case:
    """One row of the table.

    Attributes:
        network: of torchvision.
        by: "plain loop", "plain loop, compiled", or heatproof and its engine.
        precision: of the evaluation.
        per_second: evaluations; none if it was left out.
        note: the engine's plan, the size of batches, or why it was left out.
    """

    network: str
    by: str
    precision: str
    per_second: float | None
    note: str


class Clock:
    """What is left of the time, and how long the longest case took."""

    def __init__(self, seconds: float) -> None:
        self.until, self.longest = time.perf_counter() + seconds, 0.0

    @property
    def left(self) -> float:
        """Seconds."""
        return self.until - time.perf_counter()

    def fits(self) -> bool:
        """Whether another case of the longest kind would."""
        return self.left > self.longest


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rate(run: Callable[[], int], device: torch.device, clock: Clock) -> float:
    """Evaluations per second: the median of some rounds after the first, as far as there is time."""
    begun = time.perf_counter()
    run()
    wait(device)
    found: list[float] = []
    while len(found) < ROUNDS and (clock.left > 0 or not found):
        started = time.perf_counter()
        count = run()
        wait(device)
        found.append(count / (time.perf_counter() - started))
    clock.longest = max(clock.longest, time.perf_counter() - begun)
    return statistics.median(found)


def plain(module: nn.Module, images: Tensor, removed_at: Tensor, batch: int) -> int:
    """Scores of all images after every step, as one would write it; returns how many there are."""
    replacement, steps = torch.rand_like(images), int(removed_at.max())
    count = len(images) * steps
    scores = []
    with torch.inference_mode():
        for numbers in torch.arange(count, device=images.device).split(batch):
            image, step = numbers // steps, numbers % steps + 1
            gone = (removed_at[None] <= step[:, None, None])[:, None]
            scores.append(module(torch.where(gone, replacement[image], images[image]))[:, 0].float())
    torch.cat(scores).cpu()
    return count


def loops(name: str, images: Tensor, regions: int, batch: int, *, compiled: bool, clock: Clock) -> list[Case]:
    """The plain loop in each precision."""
    found, by = [], "plain loop, compiled" if compiled else "plain loop"
    side = images.shape[-1] // regions
    places = torch.arange(side**2).reshape(side, side) + 1
    removed_at = places.repeat_interleave(regions, 0).repeat_interleave(regions, 1).to(images.device)
    images = images[:, :, : removed_at.shape[0], : removed_at.shape[1]]
    if name.startswith("vit") and removed_at.shape[0] != images.shape[-1]:
        raise SystemExit("regions must tile the images of a vision transformer")
    for precision in PRECISIONS:
        if why := left_out(precision, images.device, clock):
            found.append(Case(name, by, precision, None, why))
            continue
        module = build(name, images.shape[-1]).to(images.device, memory_format=torch.channels_last)
        given = images
        if precision == "bf16":
            module, given = module.to(torch.bfloat16), images.to(torch.bfloat16)
        called = torch.compile(module) if compiled else module
        try:
            with multiplying(tf32=precision == "tf32"):
                value = rate(lambda c=called, g=given: plain(c, g, removed_at, batch), images.device, clock)
            found.append(Case(name, by, precision, value, f"batches of {batch}"))
        except Exception as error:  # no compiler, no memory: said, and the rest goes on
            found.append(Case(name, by, precision, None, f"left out: {type(error).__name__}: {str(error)[:100]}"))
    return found


def left_out(precision: str, device: torch.device, clock: Clock) -> str:
    """Why a case is left out; empty where it is not."""
    if precision == "tf32" and device.type != "cuda":
        return "left out: TF32 needs an NVIDIA GPU"
    return "" if clock.fits() else "left out: no time"


def build(name: str, size: int) -> nn.Module:
    torch.manual_seed(0)
    more = {"image_size": size} if name.startswith("vit") else {}
    module: nn.Module = torchvision.models.get_model(name, weights=None, **more)
    return module.eval().requires_grad_(False)


def engines(name: str, images: Tensor, regions: int, memory: int, clock: Clock) -> list[Case]:
    """Heatproof with each engine, in each precision."""
    network, found = hp.Network(build(name, images.shape[-1]), name=name, device=images.device), []
    network.check(images)
    for precision in PRECISIONS:
        for engine in ("full", "incremental", "auto"):
            by = f"heatproof, {engine}"
            if why := left_out(precision, images.device, clock):
                found.append(Case(name, by, precision, None, why))
                continue
            plans: list[str] = []

            def run(precision: str = precision, engine: str = engine, plans: list[str] = plans) -> int:
                options = {"order": "random", "steps": "all", "engine": engine, "precision": precision}
                curves = hp.perturb(network, images, regions=regions, memory=memory, **options)
                plans.append(str(curves.engine))
                return curves.scores[..., 1:].numel()

            found.append(Case(name, by, precision, rate(run, images.device, clock), ""))
            found[-1].note = plans[-1]
    return found


def as_table(cases: list[Case], about: dict[str, str]) -> str:
    lines = [", ".join(f"{key} {value}" for key, value in about.items()), ""]
    lines += ["| network | by | precision | evaluations/s | note |", "| --- | --- | --- | ---: | --- |"]
    for case in cases:
        value = "–" if case.per_second is None else f"{case.per_second:,.1f}"
        lines.append(f"| {case.network} | {case.by} | {case.precision} | {value} | {case.note} |")
    return "\n".join(lines) + "\n"


def described(device: torch.device, options: argparse.Namespace) -> dict[str, str]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {
        "device": f"{device.type} ({name})",
        "machine": platform.platform(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "torchvision", "heatproof")},
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "images": f"{options.images} of {options.size} × {options.size}",
        "regions": f"{options.regions} pixels",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=240, help="in all; what does not fit is left out")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--regions", type=int, default=16, help="side in pixels")
    parser.add_argument("--batch", type=int, default=256, help="of the plain loop")
    parser.add_argument("--memory", type=float, default=16, help="GB that heatproof may take")
    parser.add_argument("--small", action="store_true", help="a rehearsal: one image of 64 × 64, batches of 8, 2 GB")
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    if options.small:
        options.images, options.size, options.batch, options.memory = 1, 64, 8, 2
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device; --device cpu --small rehearses on the CPU")
    clock, about = Clock(options.seconds), described(device, options)
    shape = (options.images, 3, options.size, options.size)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device)
    cases: list[Case] = []
    networks = options.networks.split(",")
    for name in networks:
        cases += engines(name, images, options.regions, int(options.memory * 2**30), clock)
        cases += loops(name, images, options.regions, options.batch, compiled=False, clock=clock)
    for name in networks:  # compiling takes longest: last
        cases += loops(name, images, options.regions, options.batch, compiled=True, clock=clock)
    cases.sort(key=lambda case: networks.index(case.network))
    stem = options.out / f"bench-gpu-{about['device'].partition('(')[2].rstrip(')').replace(' ', '-')}-{about['torch']}"
    text = as_table(cases, about)
    options.out.mkdir(parents=True, exist_ok=True)
    Path(f"{stem}.md").write_text(text)
    Path(f"{stem}.json").write_text(json.dumps({"about": about, "cases": [asdict(case) for case in cases]}, indent=1))
    print(text)
    print(f"Written to {stem}.md and .json")


if __name__ == "__main__":
    main()
