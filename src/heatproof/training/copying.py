"""A copy of a module in the middle of its training, which leaves no trace on it."""

import copy
from collections import OrderedDict
from typing import cast

from torch import Tensor, nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def untouched_copy(module: nn.Module) -> nn.Module:
    """A copy without hooks, gradients and history, so that using it calls nothing of the original's.

    Hooks that make weights (``torch.nn.utils.weight_norm``) are kept: without them the copy would compute something
    else. Wrappers of ``torch.compile`` and of distributed training are taken off.

    >>> module = nn.Linear(2, 1)
    >>> hook = module.register_forward_hook(lambda *given: print("called"))
    >>> import torch
    >>> untouched_copy(module)(torch.zeros(1, 2)).shape
    torch.Size([1, 1])
    """
    module = unwrapped(module)
    memo: dict[int, object] = {}  # what deepcopy takes for what it meets, instead of copying it
    for part in module.modules():
        for name in HOOKS:
            hooks = getattr(part, name)
            memo[id(hooks)] = OrderedDict((key, hook) for key, hook in hooks.items() if _makes_weights(hook))
        for value in vars(part).values():
            if isinstance(value, Tensor) and not value.is_leaf:  # left over from the last step; torch cannot copy it
                memo[id(value)] = value.detach().clone()
    return copy.deepcopy(module, memo)


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside wrappers of ``torch.compile`` and distributed training."""
    while True:
        if isinstance(module, nn.parallel.DistributedDataParallel | nn.DataParallel):
            module = cast(nn.Module, module.module)
        elif isinstance(getattr(module, "_orig_mod", None), nn.Module):
            module = cast(nn.Module, module._orig_mod)
        else:
            return module


def _makes_weights(hook: object) -> bool:
    return type(hook).__module__.startswith("torch.nn.utils.")
