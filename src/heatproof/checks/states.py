"""What a call must leave as it was: a network, tensors, and the global random states (which this alone may touch)."""

import pickle
import random
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from heatproof.checks.findings import Finding, judged
from heatproof.network import Network

T = TypeVar("T")


def with_states(seed: int, call: Callable[[], T]) -> tuple[T, list[str]]:
    """What ``call`` returns after all global states were seeded, and whose state it moved; they are put back."""
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        seeded = _states()
        result = call()
        left = _states()
        return result, [name for name, state in seeded.items() if left[name] != state]
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        random.setstate(before[2])


def _states() -> dict[str, bytes]:
    """The global states, in a form that can be compared."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": pickle.dumps(numpy_state),
        "random": repr(random.getstate()).encode(),
    }


def left_alone(network: Network, tensors: list[Tensor], call: Callable[[], object]) -> Finding:
    """Whether ``call`` leaves a network's module and some tensors as they were."""
    kept, before = [tensor.clone() for tensor in tensors], _state(network)
    call()
    after = _state(network)
    changed = [name for name in before if before[name] != after[name]]
    if not all(torch.equal(one, other) for one, other in zip(kept, tensors, strict=True)):
        changed.append("what came in")
    return judged(not changed, f"changed: {', '.join(changed)}" if changed else "nothing changed", "nothing changed")


def _state(network: Network) -> dict[str, object]:
    modules = list(network.module.modules())
    return {
        "weights": network.fingerprint(),
        "training mode": [module.training for module in modules],
        "hooks": [
            len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
            for module in modules
        ],
        "gradients": [(p.requires_grad, p.grad is not None) for p in network.module.parameters()],
    }
