"""What a network promises, tried on two images: finite scores that depend on one image alone, and on nothing else."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.network.copying import hidden_layers
from heatproof.network.draws import watched
from heatproof.network.forward import check_logits
from heatproof.network.squashing import CallRecorder
from heatproof.randomness import addressed

# bounds for rounding, of the largest score: ResNets, DenseNets and others differ by 1e-6 (float32), .006 (bfloat16)
_ROUNDING = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 0.02, torch.bfloat16: 0.1}
_SEEDS = 4  # a small dropout may keep the same units from one seed as from another
_COARSE = 0.05  # on accelerators, whose convolutions may round to ten bits
_FIXED = "heatmaps need a network that gives an image the same scores each time"
_ALONE = (
    "heatmaps need scores that depend on one image alone; a batch norm has them with running statistics, a quantised "
    "layer with a fixed range"
)


def trial_images(images: Tensor | None, shape: tuple[int, ...]) -> Tensor:
    """(2, C, H, W) images to try a network on: one of those given, unless it is constant, and noise."""
    noise = torch.from_numpy(addressed(seed=0, image="", purpose="trial of a network").random((2, *shape))).float()
    if images is None or float(images[0].detach().double().std(correction=0)) < 1e-3:
        return noise
    return torch.stack([images[0].detach().cpu().float(), noise[1]])


def first_scores(module: nn.Module, inputs: Tensor, name: str) -> tuple[Tensor, CallRecorder]:
    """(1, classes) scores of one image (1, C, H, W), and the calls of torch's that made them.

    Raises:
        InputError: with the module's own reason if it cannot evaluate images of this size, if its scores are not one
            finite row, if they are drawn at random, or if they come from layers that torch does not know of.
    """
    recorded, used = CallRecorder(), set[str]()
    with ExitStack() as hooks, watched(inputs.device) as drawn:
        for path, layer in hidden_layers(module).items():
            if layer.state_dict():
                hooks.enter_context(layer.register_forward_hook(lambda *_, path=path: used.add(path)))
        with recorded:
            found = evaluated(module, inputs, name)
    if used:
        raise InputError(
            f"{name} keeps layers with weights in plain lists or dictionaries ({', '.join(sorted(used))}), where torch "
            "does not find them: checkpoints, devices and hashes of the weights leave them out; put them into "
            "nn.ModuleList or nn.ModuleDict"
        )
    if drawn.any:
        _refuse_draws(module, inputs, found, name)
    return found, recorded


def evaluated(module: nn.Module, inputs: Tensor, name: str) -> Tensor:
    """(B, classes) scores of a module.

    Raises:
        InputError: with the module's own reason, and the size of the images.
    """
    try:
        found = module(inputs.clone())  # a copy, since a module may change what it reads
    except InputError:
        raise
    except Exception as error:  # whatever a module raises
        if no_memory(error):
            raise
        reason = " ".join((str(error).strip() or type(error).__name__).split())
        raise InputError(
            f"{name} cannot evaluate images of shape {tuple(inputs.shape[1:])} (C, H, W): {type(error).__name__}: "
            f"{reason:.300}{_mixed(module)}"
        ) from error
    scores = check_logits(found)
    if len(scores) != len(inputs):
        raise InputError(
            f"{name} must return one row of scores for each image, got {len(scores)} of a batch of {len(inputs)}"
        )
    return scores


def no_memory(error: Exception) -> bool:
    """Whether memory was lacking, so that another try may go well."""
    named = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return named or (isinstance(error, RuntimeError) and "memory" in str(error).lower())


def agree(one: Tensor, other: Tensor, module: nn.Module) -> bool:
    """Whether values of a module differ by rounding alone, which depends on batches and on the order of sums.

    A part of the module may compute in a shorter type than that of the values.
    """
    shorter = [_ROUNDING[parameter.dtype] for parameter in module.parameters() if parameter.dtype in _ROUNDING]
    allowed = max([_ROUNDING.get(one.dtype, 1e-4), *shorter])
    if one.device.type != "cpu" and one.dtype != torch.float64:
        allowed = max(allowed, _COARSE)
    return float((one.double() - other.double()).abs().max()) <= allowed * _scale(one, other)


def _scale(one: Tensor, other: Tensor) -> float:
    return max(float(one.abs().max()), float(other.abs().max()))


def check_company(module: nn.Module, first: Tensor, inputs: Tensor, name: str) -> None:
    """Refuses a module that gives an image other scores in a batch, in another place, or at another time.

    ``first`` are the scores (1, classes) that the last of the images ``inputs`` had alone.
    """
    found, alone = evaluated(module, inputs, name)[-1:], inputs[-1:]
    if agree(found, first, module):
        return
    if agree(evaluated(module, alone, name), first, module):
        what, other, needed = "'s scores of an image depend on the other images of its batch", inputs, _ALONE
    else:
        what, other, needed = " gives an image other scores each time it is asked", alone, _FIXED
    raise InputError(f"{name}{what} (by {_distance(found, first)}){_place(module, alone, other)}; {needed}")


def _refuse_draws(module: nn.Module, inputs: Tensor, first: Tensor, name: str) -> None:
    """Refuses a module that drew random numbers, unless it makes no use of them."""
    for seed in range(1, 1 + _SEEDS):
        with watched(inputs.device, seed=seed) as drawn:
            again = evaluated(module, inputs, name)
        if not torch.equal(again, first):
            raise InputError(
                f"{name} draws random numbers in evaluation (scores differ by {_distance(again, first)})"
                f"{_place(module, inputs, inputs)}; {_FIXED}: give F.dropout training=self.training, leave out noise, "
                f"and keep random constants in a buffer"
            )
    if not drawn.any:
        said = f"{name} draws constants at random when it is first called, so another copy has others"
        raise InputError(f"{said}; {_FIXED}")


def _place(module: nn.Module, one: Tensor, other: Tensor) -> str:
    """Where what comes in is the same and what goes out is not, for the last image of both: the innermost layer."""

    def same(one: Tensor, other: Tensor) -> bool:
        return one.shape == other.shape and agree(one, other, module)

    first, second = _passes(module, one, seed=1), _passes(module, other, seed=2)
    for path, given, found in first:
        match = next((later for later in second if later[0] == path), None)
        if match and same(given, match[1]) and not same(found, match[2]):
            kind = type(module.get_submodule(path)).__name__
            return f", first in {path} ({kind})" if path else ", in the model's own forward"
    return ""


def _passes(module: nn.Module, inputs: Tensor, seed: int) -> list[tuple[str, Any, Any]]:
    """Path, last image's input and last image's output of each layer, in the order in which they end."""
    passes: list[tuple[str, Any, Any]] = []

    def record(path: str) -> Callable[..., None]:
        def hook(layer: nn.Module, given: Any, found: Any) -> None:  # noqa: ANN401
            read = given[0] if given else None
            if isinstance(read, Tensor) and isinstance(found, Tensor) and len(read) == len(found) == len(inputs):
                passes.append((path, read[-1:].detach().clone(), found[-1:].detach().clone()))

        return hook

    with ExitStack() as hooks, watched(inputs.device, seed):
        for path, layer in module.named_modules():
            hooks.enter_context(layer.register_forward_hook(record(path)))
        module(inputs.clone())
    return passes


def _distance(one: Tensor, other: Tensor) -> str:
    return f"{float((one - other).abs().max()) / _scale(one, other):.2g} of the largest score"


def _mixed(module: nn.Module) -> str:
    kinds = {str(tensor.dtype).removeprefix("torch.") for tensor in module.parameters() if tensor.is_floating_point()}
    if len(kinds) < 2:
        return ""
    return f"; its parameters have several types ({', '.join(sorted(kinds))}): give it one, as module.float() does"
