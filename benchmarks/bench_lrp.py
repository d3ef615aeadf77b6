"""Cost of heatmaps against the gradient, Zennit, LXT and pytorch-grad-cam, on the same images.

    python benchmarks/bench_lrp.py [--runs 7] [--threads 2] [--networks squeezenet1_0 vit_b_16]

Runs alternate; medians are compared. The gradient is a plain forward and backward pass by autograd, in the faster of
two memory layouts. Set-up (export, weights split by sign) is done before the clock starts. Vision transformers meet
LXT, which rewrites classes for a whole process and therefore has its own, and pytorch-grad-cam instead of Zennit,
which has no rules for attention. The JSON holds every run.
"""

import argparse
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
import torchvision
import zennit.composites as zc
import zennit.rules as zr
from pytorch_grad_cam import GradCAM
from tables import Results
from torch import Tensor, nn
from zennit.types import Linear

import heatproof as hp

CONVOLUTIONAL = ("lrp-epsilon", "lrp-alphabeta")
OF_TRANSFORMERS = (
    "lrp-epsilon",
    "lrp-attention[gamma=0]",
    "lrp-attention",
    "lrp-attention[softmax=taylor]",
    "attention-rollout",
    "gradient-attention-rollout",
    "legrad",
)
TITLES = {"squeezenet1_0": "SqueezeNet 1.0", "vgg16": "VGG-16", "vit_b_16": "ViT-B/16"}
PACKAGES = ("heatproof", "torch", "torchvision", "zennit", "grad-cam")
TOKENS = 14  # patches of a side


def random_images(count: int) -> Tensor:
    return torch.rand(count, 3, 224, 224, generator=torch.Generator().manual_seed(0))


def network_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.get_model(name).eval().requires_grad_(False)


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


def with_grad_cam(module: nn.Module, images: Tensor) -> Callable[[], object]:
    def as_map(tokens: Tensor) -> Tensor:
        return tokens[:, 1:].unflatten(1, (TOKENS, TOKENS)).movedim(-1, 1)

    cam = GradCAM(module, [module.encoder.layers[-1].ln_1], reshape_transform=as_map)
    return lambda: cam(images, None)


class Lxt:
    """LXT with ε everywhere and constant softmaxes, in a process that waits for its turn."""

    def __init__(self, name: str, batch: int, threads: int) -> None:
        command = [sys.executable, "-W", "ignore", __file__, "--networks", name, "--batch", str(batch)]
        self.process = subprocess.Popen(
            [*command, "--threads", str(threads), "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self) -> None:
        """One map of all images."""
        print(file=self.process.stdin, flush=True)
        if not self.process.stdout.readline():
            raise SystemExit("LXT stopped; see its message above")

    def close(self) -> None:
        """Ends the process."""
        self.process.communicate()


def serve_lxt(name: str, batch: int) -> None:
    """One map for each line that comes, with classes of torchvision that LXT has rewritten."""
    folder = Path(find_spec("lxt").submodule_search_locations[0])
    for part in ("efficient", "efficient.models"):  # whose own imports need the language models of transformers
        package = types.ModuleType(f"lxt.{part}")
        package.__path__ = [str(folder / part.replace(".", "/"))]
        sys.modules[package.__name__] = package
    from lxt.efficient.models.vit_torch import cp_LRP

    for patched, patch in cp_LRP.items():
        patch(patched)
    module, images = network_of(name), random_images(batch)
    targets = module(images).argmax(dim=1)
    for _ in sys.stdin:
        gradient(module, images, targets) * images
        print(flush=True)


def contenders(name: str, images: Tensor) -> dict[str, Callable[[], object]]:
    module, last = network_of(name), network_of(name).to(memory_format=torch.channels_last)
    network = hp.Network(module)
    targets = network.predict(images)
    images_last = images.contiguous(memory_format=torch.channels_last)
    runs: dict[str, Callable[[], object]] = {
        "gradient, channels first": lambda: gradient(module, images, targets),
        "gradient, channels last": lambda: gradient(last, images_last, targets),
    }
    if isinstance(module, torchvision.models.VisionTransformer):
        specs = OF_TRANSFORMERS
        runs["pytorch-grad-cam, GradCAM"] = with_grad_cam(network_of(name).requires_grad_(), images)
        if find_spec("lxt"):
            runs["LXT, ε"] = Lxt(name, len(images), torch.get_num_threads())
    else:
        specs = CONVOLUTIONAL
        runs["Zennit, ε"] = lambda: with_zennit(zr.Epsilon(0.01), module, images, targets)
        runs["Zennit, αβ"] = lambda: with_zennit(zr.AlphaBeta(2, 1), module, images, targets)
    for spec in specs:
        runs[f"`{spec}`"] = lambda spec=spec: hp.explain(network, images, spec, targets=targets)
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
    parser.add_argument("--networks", nargs="+", default=["squeezenet1_0", "vit_b_16"])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.serve:
        return serve_lxt(options.networks[0], options.batch)
    images = random_images(options.batch)
    results = Results("lrp", PACKAGES, threads=options.threads, keys=2)
    for name in options.networks:
        runs = contenders(name, images)
        seconds = measure(runs, options.runs)
        if "LXT, ε" in runs:
            runs["LXT, ε"].close()
        medians = {run: statistics.median(times) for run, times in seconds.items()}
        gradient_by_autograd = min(medians["gradient, channels first"], medians["gradient, channels last"])
        for run, median in medians.items():
            cells = {"network": TITLES.get(name, name), "method": run, "seconds": median}
            details = {"seconds": seconds[run], "batch": options.batch}
            results.add(cells | {"× gradient": median / gradient_by_autograd}, details)


if __name__ == "__main__":
    main()
