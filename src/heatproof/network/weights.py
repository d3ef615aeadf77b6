"""Weights from files: safetensors, or a PyTorch file of plain tensors. No pickled code is ever run."""

import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from heatproof.errors import InputError

_CLASS_NAME = re.compile(r"/[a-z]/(\S+) \d+|n\d{8}\s+(.+)|(.+)")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name, from a ``.safetensors`` file or a checkpoint written by ``torch.save``.

    A checkpoint may wrap them in ``state_dict`` or ``model``, and prefix the names with ``module.``.

    Raises:
        InputError: if the file is missing, is neither, or carries code.
    """
    if not path.is_file():
        raise InputError(f"weights: there is no file {str(path)!r}")
    loaded = _read_safetensors(path) if path.suffix == ".safetensors" else _read_checkpoint(path)
    for wrapper in ("state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not loaded or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError(f"weights: {path.name} must hold tensors by name (a state dict), and does not")
    return {str(name).removeprefix("module."): value for name, value in loaded.items()}


def read_classes(path: Path) -> tuple[str, ...] | None:
    """Class names, where a safetensors file has a JSON list of them in its metadata as ``classes``."""
    if path.suffix != ".safetensors":
        return None
    with safetensors.safe_open(path, "pt") as file:
        stored = (file.metadata() or {}).get("classes")
    try:
        classes = json.loads(stored) if stored else None
    except json.JSONDecodeError:
        return None
    return tuple(map(str, classes)) if isinstance(classes, list) else None


def read_class_names(path: Path) -> tuple[str, ...]:
    """Names of classes from a text file, one on each line, in order.

    Lines of Places365 (``/a/airfield 0``) and of ILSVRC2012 (``n01440764 tench, Tinca tinca``) lose what is no name.

    Raises:
        InputError: if the file is missing or empty.
    """
    if not path.is_file():
        raise InputError(f"names of classes: there is no file {str(path)!r}")
    lines = path.read_text("utf-8", errors="replace").split("\n")
    found = [_CLASS_NAME.fullmatch(line.strip()) for line in lines]
    names = tuple(match[match.lastindex or 0] for match in found if match)
    if not names:
        raise InputError(f"names of classes: {path.name} is empty; expected one name on each line")
    return names


def count_classes(module: nn.Module, weights: Mapping[str, Tensor]) -> int | None:
    """Number of classes that ``weights`` give the last layer of ``module``; nothing where they lack that layer."""
    head = [name for name, value in module.state_dict().items() if value.ndim >= 2][-1]
    return len(weights[head]) if head in weights and weights[head].ndim else None


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Copies ``weights`` into ``module``; every name and shape must fit.

    Raises:
        InputError: naming what is missing, left over, or of another shape.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in weights and not name.endswith("num_batches_tracked")]
    extra = [name for name in weights if name not in own]
    wrong = [
        f"{name} is {tuple(weights[name].shape)} and must be {tuple(own[name].shape)}"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    problems = [
        f"{what}: {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
        for what, names in (("missing", missing), ("not in the network", extra), ("of another shape", wrong))
        if names
    ]
    if problems:
        raise InputError(f"weights of {source} do not fit {type(module).__name__}; {'; '.join(problems)}")
    module.load_state_dict(dict(weights), strict=False)  # strict but for counters that old files lack


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except safetensors.SafetensorError as error:
        raise InputError(f"weights: {path.name} is no whole safetensors file ({error})") from error


def _read_checkpoint(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"weights: {path.name} is refused: it carries more than tensors, and loading it would run its code; "
            "save its state_dict() with safetensors, or with torch.save"
        ) from error
    except Exception as error:  # a damaged file can raise anything
        raise InputError(f"weights: {path.name} cannot be read as a PyTorch file: {error}") from error
