"""Checks of methods and metrics alike: what must not count changes nothing, and nothing is left changed."""

import pickle
import random
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from heatproof.checks.findings import Finding, judged
from heatproof.network import Network
from heatproof.network.draws import watched


class UnderTest(Protocol):
    """A method or metric that can be asked for a result (a map, a value) of each image."""

    @property
    def evaluate(self) -> Callable[..., Tensor]:
        """Results (N, …) of a network, images and, for a metric, heatmaps."""

    def general(self) -> tuple[Network, list[Tensor]]:
        """A network, images (N, C, H, W) and, for a metric, heatmaps (N, H, W), for which no answer must be known."""

    def same(self, one: Tensor, other: Tensor, how: str) -> Finding:
        """Whether two sets of results are the same, but for rounding."""


def batch(subject: UnderTest) -> Finding:
    """A result depends on its own image, not on those that went through with it."""
    network, inputs = subject.general()
    for maps in inputs[1:]:
        maps[0] *= 10  # a scale taken from the whole batch would change the others
    alone = [subject.evaluate(network, *(part[i : i + 1] for part in inputs)) for i in range(len(inputs[0]))]
    return subject.same(subject.evaluate(network, *inputs), torch.cat(alone), "together and alone")


def order_of_images(subject: UnderTest) -> Finding:
    """A result depends on its own image, not on its place in the batch."""
    network, inputs = subject.general()
    backwards = subject.evaluate(network, *(part.flip(0) for part in inputs)).flip(0)
    return subject.same(subject.evaluate(network, *inputs), backwards, "forwards and backwards")


def global_randomness(subject: UnderTest) -> Finding:
    """No global random state is read or moved: it belongs to the user."""
    network, inputs = subject.general()
    moved = set[str]()

    def seeded(seed: int) -> Tensor:
        with watched(torch.device("cpu"), seed):
            before = _random_states()
            results = subject.evaluate(network, *inputs)
            moved.update(name for name, state in _random_states().items() if state != before[name])
        return results

    found = subject.same(seeded(1), seeded(2), "under two seeds")
    if moved:
        return judged(False, f"{found.seen}; moves the state of {', '.join(sorted(moved))}", found.expected)
    return found


def leaves_things_alone(subject: UnderTest) -> Finding:
    """Weights, modes, hooks, gradients and inputs are afterwards as they were."""
    network, inputs = subject.general()
    kept, before = [part.clone() for part in inputs], _module_state(network)
    subject.evaluate(network, *inputs)
    after = _module_state(network)
    changed = [name for name in before if before[name] != after[name]]
    if not all(map(torch.equal, kept, inputs)):
        changed.append("what came in")
    return judged(not changed, f"changed: {', '.join(changed)}" if changed else "nothing changed", "nothing changed")


INVARIANCES: dict[str, Callable[[UnderTest], Finding]] = {
    "batch": batch,
    "order of images": order_of_images,
    "global randomness": global_randomness,
    "leaves things alone": leaves_things_alone,
}


def _random_states() -> dict[str, object]:
    return {
        "numpy": pickle.dumps(np.random.get_state(legacy=False)),  # noqa: NPY002
        "random": random.getstate(),
        "torch": torch.get_rng_state().tolist(),
    }


def _module_state(network: Network) -> dict[str, object]:
    modules = list(network.module.modules())
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    return {
        "weights": network.fingerprint(),
        "training mode": [module.training for module in modules],
        "hooks": [sum(len(getattr(module, kind)) for kind in hooks) for module in modules],
        "gradients": [(p.requires_grad, p.grad is not None) for p in network.module.parameters()],
    }
