"""The one way to copy a module: without wrappers, hooks and history, and leaving no trace on the original."""

import copy
import io
import warnings
from collections.abc import Collection, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.randomness import addressed

HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs", "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called", "_backward_hooks", "_backward_pre_hooks",
)  # fmt: skip


def untouched_copy(module: nn.Module, *, same_weights: bool = False) -> nn.Module:
    """A copy without hooks, gradients and history, so that using it calls nothing of the original's.

    Hooks that make weights (``torch.nn.utils.weight_norm``) are kept: without them the copy would compute something
    else. Wrappers of ``torch.compile`` and of parallel training are taken off, also inside. With ``same_weights``,
    parameters and buffers are not copied but shared.

    >>> module = nn.Linear(2, 1)
    >>> hook = module.register_forward_hook(lambda *given: print("called"))
    >>> untouched_copy(module)(torch.zeros(1, 2)).shape
    torch.Size([1, 1])
    """
    module = unwrapped(module)
    if isinstance(module, torch.jit.ScriptModule):
        return loaded_again(module)
    memo: dict[int, Any] = {}  # what deepcopy takes for what it meets, instead of copying it
    for part in module.modules():
        _leave_out(part, memo)
    if same_weights:
        memo |= {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    copied = copy.deepcopy(module, memo)
    for part in list(copied.modules()):
        for name, child in part.named_children():
            if unwrapped(child) is not child:
                setattr(part, name, unwrapped(child))
    return copied


def shuffled_copy(module: nn.Module, seed: int, only: Collection[str] | None = None) -> nn.Module:
    """A copy in which the entries of each parameter tensor, or of those named in ``only``, are permuted; buffers stay.

    The distribution of each layer's weights is kept, so that activations keep their scale roughly. The permutation of a
    tensor depends on the seed and on its name alone. Running statistics of batch norms are buffers: they stay.

    Raises:
        InputError: for a module without parameters.

    >>> layer = nn.Linear(4, 3)
    >>> other = shuffled_copy(layer, seed=0)
    >>> bool((other.weight.sort().values == layer.weight.sort().values).all()), other is layer
    (False, False)
    >>> bool((other.weight.flatten().sort().values == layer.weight.flatten().sort().values).all())
    True
    """
    found = untouched_copy(module)
    for name, parameter in parameters_of(found).items():
        if only is not None and name not in only:
            continue
        order = addressed(seed=seed, image=name, purpose="shuffled weights").permutation(parameter.numel())
        with torch.no_grad():
            flat = parameter.flatten()[torch.from_numpy(order).to(parameter.device)]
            parameter.copy_(flat.reshape(parameter.shape))
    return found


def parameters_of(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters by name.

    Raises:
        InputError: for a module without parameters.
    """
    found = dict(module.named_parameters())
    if not found:
        raise InputError("expected a network with parameters to randomise, got one without")
    return found


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside wrappers of ``torch.compile`` and parallel training."""
    while True:
        if isinstance(module, nn.parallel.DistributedDataParallel | nn.DataParallel):
            module = cast(nn.Module, module.module)
        elif isinstance(getattr(module, "_orig_mod", None), nn.Module):
            module = cast(nn.Module, module._orig_mod)
        else:
            return module


def hidden_layers(module: nn.Module) -> dict[str, nn.Module]:
    """Layers that lie in plain lists, tuples or dictionaries, by path: torch does not know of them.

    >>> module = nn.Module()
    >>> module.layers = [nn.Linear(2, 1)]
    >>> hidden_layers(module)
    {'layers[0]': Linear(in_features=2, out_features=1, bias=True)}
    """
    known = set(module.modules())
    found = {}
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            for key, layer in _members(value):
                if isinstance(layer, nn.Module) and layer not in known:
                    found[f"{path}.{name}[{key!r}]".lstrip(".")] = layer
    return found


def _members(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - whatever a module keeps
    if type(value) in (list, tuple):
        yield from enumerate(value)
    elif type(value) is dict:
        yield from value.items()


def _leave_out(part: nn.Module, memo: dict[int, Any]) -> None:
    """Tells deepcopy what takes the place of the hooks of ``part``, and of values that have a history."""
    for name in HOOKS:
        hooks = getattr(part, name, None)
        if isinstance(hooks, dict):
            memo[id(hooks)] = type(hooks)((key, hook) for key, hook in hooks.items() if _makes_weights(hook))
    for value in _tensors(vars(part)):
        if not value.is_leaf:  # left over from the last step; torch cannot copy it
            memo[id(value)] = value.detach().clone()


def _tensors(value: Any) -> Iterator[Tensor]:  # noqa: ANN401 - whatever a module keeps
    if isinstance(value, Tensor):
        yield value
    for _, item in _members(value):
        yield from _tensors(item)


def loaded_again(module: nn.Module) -> nn.Module:
    """A copy of a compiled module, saved and loaded in memory: nothing that was optimised for the original is in it."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is deprecated
        torch.jit.save(module, file)
        file.seek(0)
        loaded: nn.Module = torch.jit.load(file)
    return loaded


def _makes_weights(hook: object) -> bool:
    return type(hook).__module__.startswith("torch.nn.utils.")
