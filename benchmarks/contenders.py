"""Those that are measured against each other: heatproof's engine, plain loops, and Quantus."""

import copy
import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import quantus
import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

import heatproof as hp
from heatproof.network.incremental import dirty_regions
from heatproof.perturbation.engine import choose_for, evaluate
from heatproof.perturbation.regions import as_regions
from heatproof.perturbation.scores import logit
from heatproof.perturbation.trajectories import Trajectories

BATCH_SIZES = (4, 8, 16, 32)
REGION = 9
STEPS = 100
IN_FULL = 20  # steps of a network that is evaluated in full
EVERY = 5  # of the skipped steps
MEMORY = 2**30


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
        self.batch_size = min(BATCH_SIZES, key=lambda size: min(self.seconds(size) for _ in range(2)) / size)

    def seconds(self, size: int) -> float:
        """Of one batch."""
        return seconds_of(lambda: self._evaluate(torch.arange(size) % len(self.images), torch.zeros(size)))

    @torch.inference_mode()
    def _evaluate(self, image: Tensor, step: Tensor) -> Tensor:
        removed = self.removed_at[image] <= step[:, None, None]
        perturbed = torch.where(removed[:, None], self.replacements[image], self.images[image])
        return self.module(perturbed.contiguous(memory_format=torch.channels_last))

    def run(self, steps: int) -> int:
        """Evaluates so many steps; how many evaluations that were."""
        batches = math.ceil(len(self.images) * (steps + 1) / self.batch_size)
        evaluations = torch.arange(batches * self.batch_size)  # whole batches: a compiled loop knows one size
        for batch in evaluations.split(self.batch_size):
            self._evaluate(batch % len(self.images), batch // len(self.images))
        return len(evaluations)

    def compiled(self) -> "Loop":
        """The same loop, whose network is compiled when it is first evaluated."""
        other = copy.copy(self)
        torch.compiler.reset()
        other.module = torch.compile(self.module, dynamic=False, options={"freezing": True})
        return other


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

    @property
    def on_windows(self) -> bool:
        """Whether some nodes are evaluated on the dirty region only."""
        return self.plan is not None and bool(self.plan.head)

    @property
    def steps(self) -> int:
        """How many are measured."""
        return STEPS if self.on_windows else IN_FULL

    @property
    def multiply_adds(self) -> dict[str, float]:
        """Of an evaluation, in full and as planned."""
        if self.plan is None:
            return {}
        full = self.network.graph(self.shape).multiply_adds
        return {"full": full, "step": self.plan.multiply_adds if self.on_windows else full}

    def run(self, steps: int, engine: str = "auto") -> int:
        """Evaluates so many steps; how many evaluations that were."""
        images, heatmaps = self.arguments
        curves = hp.perturb(
            self.network, images, heatmaps, targets=self.targets, regions=REGION, steps=steps, repeats=1, engine=engine
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


def removed_at(regions: Tensor, order: Tensor) -> Tensor:
    """(N, H, W) the step at which each pixel is removed, one more than the last for those that never are."""
    steps = torch.full((len(order), int(regions.max()) + 2), order.shape[1] + 1)  # the last entry is for region −1
    steps.scatter_(1, order, torch.arange(1, order.shape[1] + 1).expand(order.shape))
    return steps.gather(1, (regions % steps.shape[1]).flatten(1)).reshape(regions.shape)


def seconds_of(run: Callable[[], Any]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
