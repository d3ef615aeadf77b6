"""Does code draw from the global random states? Whatever it did, they are put back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass
class Drawn:
    """Whether something was drawn, known when the watch has ended."""

    any: bool = False


@contextmanager
def watched(device: torch.device, seed: int | None = None) -> Iterator[Drawn]:
    """Watches the states of Python, NumPy and torch (on the CPU and on ``device``), and puts them back.

    With a ``seed``, they begin from there.

    >>> with watched(torch.device("cpu")) as drawn:
    ...     noise = torch.rand(1)
    >>> drawn.any
    True
    """
    drawn, before = Drawn(), _states(device)
    if seed is not None:
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
    begun = before if seed is None else _states(device)
    try:
        yield drawn
    finally:
        drawn.any = not _equal(begun, _states(device))
        if drawn.any or seed is not None:
            python, numbers, cpu, on_cuda = before
            random.setstate(python)
            np.random.set_state(numbers)  # noqa: NPY002
            torch.set_rng_state(cpu)
            if device.type == "cuda":
                torch.cuda.set_rng_state(on_cuda, device)


def _states(device: torch.device) -> tuple[Any, ...]:
    on_cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.empty(0)
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), on_cuda  # noqa: NPY002


def _equal(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    pairs = zip((*one[1], *one[2:]), (*other[1], *other[2:]), strict=True)
    return bool(one[0] == other[0]) and all(np.array_equal(first, second) for first, second in pairs)
