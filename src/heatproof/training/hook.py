"""How good are the heatmaps of a network that is being trained?"""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace

import torch
from torch import Tensor, nn

from heatproof.data.preprocessing import Preprocessing
from heatproof.defaults import DEFAULT_MEMORY, DEFAULT_METHOD
from heatproof.errors import InputError
from heatproof.heatmaps.explaining import OwnMethod
from heatproof.measures.quality import CONTROLS, QUALITIES, SCORES, series_of
from heatproof.network.inputs import check_images
from heatproof.network.network import Network
from heatproof.perturbation import Protocol
from heatproof.perturbation.regions import as_regions
from heatproof.results.assessment import Checkpoint
from heatproof.studies.assess import method_name
from heatproof.studies.road.in_memory import compared
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress

Log = Callable[[dict[str, float], int], object]  # such as mlflow.log_metrics and wandb.log

FEW_STEPS = 8
LOGGED = {"above_random": "above random", "standardised": "standardised", "aopc": "AOPC", "mean_logit": "mean logit"}
WITH_INTERVALS = ("above_random", "standardised")


@dataclass(eq=False)
class HeatmapQuality:
    """Measures the heatmaps of a network in training, without labels: call it with the module, once an epoch.

    The network predicts classes and explains its predictions; regions are removed in the order of their relevance, and
    at random. Every epoch meets the same images, replacement images, steps and random orders, so epochs are paired, and
    what differs between two values is the network. The module is copied; its mode, gradients, buffers and hooks stay as
    they are, and no global random state is used.

    Logged, with a prefix of your choice, all higher is better [Samek2017]:

    - ``above_random``: AOPC minus that of the random order, in logits, with ``_low`` and ``_high`` (95 % over images).
      It grows when logits grow, which training makes them do.
    - ``standardised``: the same of the logit standardised over the classes, which does not; with its interval.
    - ``aopc``: AOPC itself, as ``heatproof.aopc``; ``mean_logit``: of the untouched images; ``seconds``: what it took.

    Args:
        images: (N, C, H, W) RGB in [0, 1], not normalised; 16 to 64 tell much.
        preprocessing: how they become the module's input, such as ``"imagenet"``; none if it takes them as they are.
        method, replacement, regions, steps, seed, memory: as of ``heatproof.assess``.
        scored: as there, by default at 8 of the steps.
        engine: as there; with few scored steps "full" is the quickest to begin.
        prefix: of the names.
        log: called with the values and the step: ``mlflow.log_metrics`` and ``wandb.log`` are such functions.

    Raises:
        InputError: for images that are no images, and at the first call for a network or method that cannot be used;
            at later calls that is a warning and nothing is logged, because a training run is worth more.

    >>> from torch import nn
    >>> module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3))
    >>> quality = HeatmapQuality(torch.rand(4, 3, 18, 18), regions=6, prefix="val/")
    >>> sorted(quality(module))[:4]
    ['val/above_random', 'val/above_random_high', 'val/above_random_low', 'val/aopc']
    """

    images: Tensor
    _: KW_ONLY
    preprocessing: Preprocessing | str | None = None
    method: str | OwnMethod = DEFAULT_METHOD
    replacement: str = "uniform"
    regions: int | str | Tensor = 9
    steps: int | str | None = None
    scored: int | None = None
    seed: int = 0
    engine: str = "full"
    memory: int = DEFAULT_MEMORY
    prefix: str = "heatproof/"
    log: Log | None = None
    calls: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        check_images(self.images)
        self.images = self.images.detach().cpu().clone()  # the same, whatever becomes of the caller's

    def __call__(self, module: nn.Module, step: int | None = None) -> dict[str, float]:
        """The values of this moment, by name; logged under ``step``, by default the number of calls before."""
        number, self.calls = self.calls, self.calls + 1
        try:
            found = self.measured(module)
        except InputError as error:
            if not number:
                raise
            warnings.warn(f"the quality of heatmaps is not logged this time: {error}", stacklevel=2)
            return {}
        if self.log:
            self.log(found, number if step is None else step)
        return found

    def measured(self, module: nn.Module) -> dict[str, float]:
        """The values, not logged."""
        start = time.perf_counter()
        device = next((parameter.device.type for parameter in module.parameters()), "cpu")
        protocol = Protocol(
            replacement=self.replacement,
            regions=self.regions,
            steps=self.steps,
            seed=self.seed,
            engine=self.engine,
            memory=self.memory,
            scored=self.scored,
        )
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, enabled=False):
            network = Network(module, preprocessing=self.preprocessing)
            if self.scored is None:
                steps = protocol.steps_for(as_regions(self.regions, self.images))
                protocol = replace(protocol, scored=min(FEW_STEPS, steps))
            name = method_name(self.method)
            wanted = Wanted(methods={name: self.method}, protocol=protocol, scores=SCORES[1:], show=0)
            cell = compared(network, self.images, wanted, Progress(None))
            checkpoint = Checkpoint.of(cell, name)
        found: dict[str, float] = {}
        for name, quantity in LOGGED.items():
            (estimate,) = series_of((QUALITIES | CONTROLS)[quantity], [checkpoint.perturbed]).estimates()
            found[name] = estimate.mean
            if name in WITH_INTERVALS:
                found |= {f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        found["seconds"] = time.perf_counter() - start
        return {f"{self.prefix}{name}": float(value) for name, value in found.items() if math.isfinite(value)}
