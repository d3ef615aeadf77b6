"""Weights from files: safetensors, or a PyTorch file of plain tensors. No pickled code is ever run."""

import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.zips import check_directory

LARGEST_NAMES = 2**24  # bytes of a file with names of classes
SUFFIX = ".safetensors"
_CODE = "loading it would run its code; save its state_dict() with safetensors, or with torch.save"
_SCRIPTED, _EXPORTED = ("code", "constants.pkl"), ("models", "archive_format", "serialized_exported_program.json")
_CLASS_NAME = re.compile(r"/[a-z]/(\S+) \d+|n\d{8}\s+(.+)|(.+)")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name, from a ``.safetensors`` file or a checkpoint written by ``torch.save``.

    A checkpoint may wrap them in ``state_dict`` or ``model``, and prefix the names with ``module.``.

    Raises:
        InputError: if the file is missing, is neither, or carries code.
    """
    if not path.is_file():
        raise InputError(f"weights: there is no file {str(path)!r}")
    try:
        loaded = load_file(path) if path.suffix == SUFFIX else _read_checkpoint(path)
    except safetensors.SafetensorError as error:
        raise InputError(f"weights: {path.name} is not a complete safetensors file ({error})") from error
    for wrapper in ("state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not loaded or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError(f"weights: {path.name} must hold tensors by name (a state dict), and does not")
    for name, value in loaded.items():
        check_plain(f"{path.name}: {name}", value)
    return {str(name).removeprefix("module."): value for name, value in loaded.items()}


def read_classes(path: Path) -> tuple[str, ...] | None:
    """Class names, where a safetensors file has a JSON list of them in its metadata as ``classes``."""
    if path.suffix != SUFFIX:
        return None
    try:
        with safetensors.safe_open(path, "pt") as file:
            stored = (file.metadata() or {}).get("classes")
        classes = json.loads(stored) if stored else None
    except (safetensors.SafetensorError, OSError, ValueError, RecursionError):
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
    if path.stat().st_size > LARGEST_NAMES:
        raise InputError(f"names of classes: {path.name} has more than {LARGEST_NAMES:,} bytes")
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
        raise InputError(
            f"weights of {source} do not fit {type(module).__name__}; {'; '.join(problems)}; "
            "give the network that they were saved from (--network)"
        )
    try:
        module.load_state_dict(dict(weights), strict=False)  # strict but for counters that old files lack
    except RuntimeError as error:
        raise InputError(f"weights of {source} cannot be copied into {type(module).__name__}: {error}") from error


def _read_checkpoint(path: Path) -> object:
    _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a pickle is of another protocol
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(f"weights: {path.name} is refused: it carries more than tensors, and {_CODE}") from error
    except Exception as error:  # a damaged file can raise anything
        raise InputError(f"weights: {path.name} cannot be read as a PyTorch file: {error}") from error


def _check_archive(path: Path) -> None:
    """Refuses archives that are made to hold code, and those that would swell while they are read."""
    entries: list[zipfile.ZipInfo] = []
    try:
        with path.open("rb") as file:
            is_tar = file.read(262)[257:] == b"ustar"  # Python's tarfile would try to decompress the whole file first
            if zipfile.is_zipfile(file):
                check_directory(file)
                entries = zipfile.ZipFile(file).infolist()
    except Exception as error:  # a damaged one can raise anything
        raise InputError(f"weights: {path.name} cannot be read as a PyTorch file: {error}") from error
    parts = {part for entry in entries for part in entry.filename.split("/")[1:]}
    for holds_code, kind in (
        (is_tar, "a tar archive"),
        (parts.intersection(_SCRIPTED), "a TorchScript program"),
        (parts.intersection(_EXPORTED), "an exported program"),
    ):
        if holds_code:
            raise InputError(f"weights: {path.name} is refused: it is {kind}, and {_CODE}")
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise InputError(f"weights: {path.name} is refused: it is compressed, which PyTorch's own files never are")


def check_plain(name: str, value: Tensor) -> None:
    """A tensor must hold as many numbers as it says; one number can say that it is a billion."""
    strided = value.layout is torch.strided and not value.is_quantized and not value.is_meta
    if not strided or value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise InputError(f"weights: {name} must be a plain array that lies in the file, and is not")
