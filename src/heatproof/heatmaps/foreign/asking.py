"""Another package's method is asked for one image at a time, on a copy of the module, with randomness of its own."""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.heatmaps.methods import ForwardPass, Method
from heatproof.network import Network
from heatproof.network.copying import untouched_copy
from heatproof.randomness import addressed, identify
from heatproof.registry import unknown

Ask = Callable[[Tensor, int], Tensor]  # (input (1, C, H, W), target) -> attributions (1, c, h, w) or (1, h, w)
CHANNELS = ("sum", "norm")
LISTED = 40


def asked(spec: str, network: Network, ask: Ask, *, seed: int, channels: str) -> Method:
    """A method that asks for the attributions of each image, and makes maps of them."""
    if channels not in CHANNELS:
        raise InputError(unknown(f"channels of {spec}:", channels, CHANNELS))

    def method(forward: ForwardPass) -> Tensor:
        maps = []
        for row, image in enumerate(identify(forward.images)):
            given = forward.inputs[row : row + 1].detach().clone(memory_format=torch.contiguous_format)
            number = int(addressed(seed=seed, image=image, purpose=f"method {spec}").integers(2**32))
            with _told(spec, network), own_randomness(number, given.device), torch.enable_grad():
                found = ask(given.requires_grad_(), int(forward.targets[row]))
            maps.append(_as_map(found.detach(), (given.shape[2], given.shape[3]), channels, spec))
        return torch.cat(maps).to(forward.images)

    return method


def working_copy(module: nn.Module) -> nn.Module:
    """A copy with the same parameters and hooks of its own; activations that work in place are told not to."""
    made = untouched_copy(module, same_weights=True)
    for part in made.modules():
        if getattr(part, "inplace", False) is True:
            part.inplace = False  # type: ignore[assignment]
    return made


def layer_of(module: nn.Module, path: str, spec: str) -> nn.Module:
    """The layer at a path such as ``layer4.1`` or, where that is enough, the end of one.

    Raises:
        InputError: if there is none.
    """
    layers: dict[str, nn.Module] = {name: layer for name, layer in module.named_modules() if name}
    ends = [name for name in layers if name.endswith(f".{path}")]
    if path in layers:
        return layers[path]
    if path and len(ends) == 1:
        return layers[ends[0]]
    if not path:
        raise InputError(f"{spec} needs a layer: {spec}@LAYER; layers: {_some(list(layers))}")
    message = unknown(f"layer of {spec}:", path, list(layers))
    raise InputError(message[: message.index("known: ")] + f"known: {_some(list(layers))}")


@contextmanager
def own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Seeds the global random states for a package that draws from them, and puts them back."""
    before = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before[0])  # noqa: NPY002
            random.setstate(before[1])


@contextmanager
def _told(spec: str, network: Network) -> Iterator[None]:
    """Packages raise whatever they do not foresee; what they warn of is not ours to show."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:
        first = " ".join(str(error).split())[:300]
        in_place = "inplace" in first.replace("-", "")
        why = "; the module changes values in place outside of its layers (x += y, F.relu(x, inplace=True))" * in_place
        raise InputError(f"{spec} cannot explain {network.name}: {type(error).__name__}: {first}{why}") from error


def _as_map(found: Tensor, size: tuple[int, int], channels: str, spec: str) -> Tensor:
    """(1, H, W) of attributions; those of a layer are enlarged, bilinearly."""
    layered = found if found.ndim == 4 else found[:, None]
    if layered.ndim != 4 or len(layered) != 1:
        raise InputError(
            f"{spec} gives attributions of shape {tuple(found.shape)}, which are nowhere in the image; take a layer "
            "whose output is (C, h, w)"
        )
    flat = layered.sum(dim=1) if channels == "sum" else torch.linalg.vector_norm(layered, dim=1)
    if tuple(flat.shape[1:]) == size:
        return flat
    return nn.functional.interpolate(flat[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def _some(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
