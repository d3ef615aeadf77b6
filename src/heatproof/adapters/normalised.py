"""A model and what it reads, as other packages have them: no images in [0, 1], but arrays in the model's own unit."""

import math
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from heatproof.data.preprocessing import Preprocessing
from heatproof.errors import InputError
from heatproof.network.inputs import as_targets
from heatproof.network.network import DEFAULT_MEMORY, Network
from heatproof.perturbation.engine import choose_for, evaluate
from heatproof.perturbation.scores import SCORES
from heatproof.perturbation.trajectories import Trajectories
from heatproof.randomness import identify

AT_ONCE = 32  # images
_KNOWN: WeakKeyDictionary[nn.Module, tuple[tuple[Any, ...], Network]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Normalised:
    """A network, and inputs (N, C, H, W) in its own unit.

    Heatproof's images lie in [0, 1]: they are the inputs over the next larger power of two, moved by a half, which the
    preprocessing undoes exactly enough (float32), whatever other inputs there are.

    Attributes:
        network: the model, with that preprocessing.
        inputs: what the model reads.
    """

    network: Network
    inputs: Tensor

    @classmethod
    def of(cls, model: nn.Module, inputs: Tensor, device: str | None) -> "Normalised":
        """Checks both."""
        if not isinstance(model, nn.Module):
            raise InputError(f"model must be a torch.nn.Module that returns logits, got {type(model).__name__}")
        last = [part for part in model.modules() if not list(part.children())][-1]
        if isinstance(last, nn.Softmax):
            raise InputError("the model ends with a Softmax: take it away, and ask for probabilities with softmax=True")
        return cls(_network_of(model, device), inputs)

    @property
    def identities(self) -> list[str]:
        """Of the inputs, which address all random draws."""
        return identify(self.inputs)

    def walk(
        self, orders: Tensor, regions: Tensor, replacements: Tensor, targets: np.ndarray, score: str, engine: str
    ) -> Tensor:
        """(N, L + 1) scores while regions (N, H, W) go in these orders (N, L) and become what replaces them.

        Args:
            orders: first removed first.
            regions: region indices.
            replacements: (N, C, H, W) in the unit of the inputs.
            targets: (N,) class indices.
            score: its name.
            engine: "auto", or "full".
        """
        largest = max(float(self.inputs.abs().max()), float(replacements.abs().max()), 1e-30)
        bound = 2.0 ** math.ceil(math.log2(largest))
        channels = self.inputs.shape[1]
        self.network.preprocessing = Preprocessing(mean=(0.5,) * channels, std=(0.5 / bound,) * channels)
        classes = as_targets(torch.as_tensor(targets), len(self.inputs))
        steps = torch.arange(1, orders.shape[1] + 1)
        walked = []
        for part in torch.arange(len(self.inputs)).split(AT_ONCE):
            sequences = Trajectories(
                images=_in_range(self.inputs[part], bound),
                replacements=_in_range(replacements[part], bound)[:, None],
                regions=regions[part],
                orders=orders[part][:, None, None],
                targets=classes[part],
                scored=steps.expand(len(part), 1, 1, -1),
            )
            chosen = SCORES.resolve(score)
            _, plan = choose_for(self.network, sequences, engine, chosen)
            walked.append(
                evaluate(self.network, sequences, chosen, plan, memory=DEFAULT_MEMORY // 2, on_progress=lambda _: None)
            )
        return torch.cat(walked)[:, 0, 0]


def _network_of(model: nn.Module, device: str | None) -> Network:
    """The network of a model; the same as before while the model is, since exporting and measuring take seconds."""
    made = Network(model, device=device)
    key = (repr(model), made.fingerprint(), made.device)
    known = _KNOWN.get(model)
    if known is None or known[0] != key:
        _KNOWN[model] = (key, made)
    return _KNOWN[model][1]


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
