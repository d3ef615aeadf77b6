"""A model and what it reads, as other packages have them: no images in [0, 1], but arrays in the model's own unit.

Heatproof's images lie in [0, 1]: they are the inputs over the next larger power of two, moved by a half, which the
preprocessing undoes exactly enough (float32), whatever other inputs there are.
"""

import math
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from heatproof.data.preprocessing import Preprocessing
from heatproof.defaults import DEFAULT_MEMORY
from heatproof.errors import InputError
from heatproof.network.inputs import as_targets
from heatproof.network.network import Network
from heatproof.perturbation.engine import choose_for, evaluate
from heatproof.perturbation.scores import SCORES
from heatproof.perturbation.trajectories import Trajectories
from heatproof.randomness import addressed
from heatproof.registry import unknown

AT_ONCE = 32  # images
BASELINES = ("black", "white", "mean", "uniform")
_KNOWN: WeakKeyDictionary[nn.Module, tuple[tuple[Any, ...], Network]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Fill:
    """What a removed value becomes, made once from the untouched image, by the names that Quantus has for it."""

    perturb_baseline: str | float = "black"
    uniform_low: float = 0.0
    uniform_high: float = 1.0

    def __post_init__(self) -> None:
        given = self.perturb_baseline
        if given not in BASELINES and (isinstance(given, bool) or not isinstance(given, int | float)):
            raise InputError(unknown("perturb_baseline", str(given), [*BASELINES, "a number"]))

    def replacements(self, inputs: Tensor, ids: list[str]) -> Tensor:
        """(N, C, H, W) in the unit of the inputs."""
        if self.perturb_baseline == "uniform":
            draws = [
                addressed(seed=0, image=image, purpose="quantus uniform").uniform(
                    self.uniform_low, self.uniform_high, inputs.shape[1:]
                )
                for image in ids
            ]
            return torch.from_numpy(np.stack(draws)).to(inputs)
        if isinstance(self.perturb_baseline, str):
            flat = inputs.flatten(start_dim=1)
            values = {"black": flat.amin(dim=1), "white": flat.amax(dim=1), "mean": flat.mean(dim=1)}
            value = values[self.perturb_baseline]
        else:
            value = torch.full((len(inputs),), float(self.perturb_baseline))
        return value[:, None, None, None].expand_as(inputs).to(inputs)


def network_of(model: nn.Module, device: str | None) -> Network:
    """The network of a model; the same as before while the model is, since exporting and measuring take seconds."""
    if not isinstance(model, nn.Module):
        raise InputError(f"model must be a torch.nn.Module that returns logits, got {type(model).__name__}")
    last = [part for part in model.modules() if not list(part.children())][-1]
    if isinstance(last, nn.Softmax):
        raise InputError(
            "expected a model that returns logits, got one that ends with a Softmax: remove it, and set softmax=True"
        )
    made = Network(model, device=device)
    key = (repr(model), made.fingerprint(), made.device)
    known = _KNOWN.get(model)
    if known is None or known[0] != key:
        _KNOWN[model] = (key, made)
    return _KNOWN[model][1]


def perturbed_scores(
    network: Network,
    inputs: Tensor,
    targets: np.ndarray,
    *,
    orders: Tensor,
    regions: Tensor,
    replacements: Tensor,
    score: str,
    engine: str,
) -> Tensor:
    """(N, L + 1) scores while regions are removed, the untouched image first.

    Args:
        network: made of the model that reads the inputs.
        inputs: (N, C, H, W) in the unit of the model.
        targets: (N,) class indices.
        orders: (N, L) regions, first removed first.
        regions: (N, H, W) region indices.
        replacements: (N, C, H, W) what removed values become, in the unit of the inputs.
        score: its name.
        engine: "auto", or "full".
    """
    largest = max(float(inputs.abs().max()), float(replacements.abs().max()), 1e-30)
    bound = 2.0 ** math.ceil(math.log2(largest))
    channels = inputs.shape[1]
    network.preprocessing = Preprocessing(mean=(0.5,) * channels, std=(0.5 / bound,) * channels)
    classes = as_targets(torch.as_tensor(targets), len(inputs))
    steps = torch.arange(1, orders.shape[1] + 1)
    chosen, scores = SCORES.resolve(score), []
    for part in torch.arange(len(inputs)).split(AT_ONCE):
        sequences = Trajectories(
            images=_in_range(inputs[part], bound),
            replacements=_in_range(replacements[part], bound)[:, None],
            regions=regions[part],
            orders=orders[part][:, None, None],
            targets=classes[part],
            scored=steps.expand(len(part), 1, 1, -1),
        )
        _, plan = choose_for(network, sequences, engine, chosen)
        memory = DEFAULT_MEMORY // 2
        scores.append(evaluate(network, sequences, chosen, plan, memory=memory, on_progress=lambda _: None))
    return torch.cat(scores)[:, 0, 0]


def channels_first(given: Any, first: bool | None) -> Tensor:  # noqa: ANN401 - an array or a tensor
    """(N, C, H, W) float32 of an array whose channels come first or last; where nothing is said, they are the fewest.

    >>> channels_first(np.zeros((2, 8, 9, 3)), None).shape
    torch.Size([2, 3, 8, 9])
    """
    array = torch.as_tensor(np.asarray(given, dtype=np.float32)) if not isinstance(given, Tensor) else given.detach()
    if array.ndim != 4 or not bool(torch.isfinite(array).all()):
        raise InputError(f"x_batch must be finite images (N, C, H, W), got shape {tuple(array.shape)}")
    if first is None and array.shape[1] >= min(array.shape[2:]) and array.shape[3] >= min(array.shape[1:3]):
        raise InputError(f"say channel_first=True or False: the channels of {tuple(array.shape)} might be either")
    if first is None:
        first = array.shape[1] < min(array.shape[2:])
    ordered = array if first else array.permute(0, 3, 1, 2)
    if ordered.shape[1] not in (1, 3):
        raise InputError(f"images must have 1 or 3 channels, got {ordered.shape[1]}")
    return ordered.float().cpu().contiguous()


def _in_range(values: Tensor, bound: float) -> Tensor:
    return (values / (2 * bound) + 0.5).clamp(0, 1)
