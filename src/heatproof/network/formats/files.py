"""Networks that lie in one file with their weights, or in a folder of Hugging Face's."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from heatproof.data.preprocessing import Preprocessing
from heatproof.errors import InputError
from heatproof.network.formats.huggingface import read_classifier
from heatproof.network.formats.onnx import read_onnx
from heatproof.network.formats.programs import read_program
from heatproof.network.formats.scripts import read_script
from heatproof.network.network import Network

Sides = tuple[int, int]
Reader = Callable[[Path], tuple[nn.Module, Sides | None, tuple[str, ...]]]  # module, size of images, notes

FILES: dict[str, Reader] = {"pt2": read_program, "torchscript": read_script, "onnx": read_onnx}
FOLDERS = "transformers"


def file_kind(spec: str) -> tuple[str, str] | None:
    """The kind of a network in a file or folder, and its path; nothing for other specs.

    >>> file_kind("models/net.pt2"), file_kind("torchscript:net.pt"), file_kind("torchvision:alexnet")
    (('pt2', 'models/net.pt2'), ('torchscript', 'net.pt'), None)
    """
    source, _, name = spec.partition(":")
    if name and source in (*FILES, FOLDERS):
        return source, name
    ending = Path(spec).suffix[1:].lower()
    return (ending, spec) if ending in FILES else None


def open_file(
    kind: str,
    name: str,
    preprocessing: Preprocessing | str | None,
    classes: Sequence[str] | None,
    device: str | torch.device | None,
    download: bool,
) -> Network:
    """The network in a file or folder.

    Raises:
        InputError: if it cannot be read, or carries code.
    """
    if kind == FOLDERS:
        model, own = read_classifier(name, download=download)
        notes: tuple[str, ...] = () if own or preprocessing else (_unsaid(None),)
        module: nn.Module = model
    else:
        module, size, notes = FILES[kind](Path(name))
        own = size and Preprocessing(resize=size[0] if size[0] == size[1] else size, crop=size)
        notes = notes if preprocessing else (*notes, _unsaid(size))
    return Network(
        module,
        preprocessing=own if preprocessing is None else preprocessing,
        name=Path(name).name if kind == FOLDERS else Path(name).stem,
        classes=classes,
        device=device,
        notes=notes,
    )


def refuse_weights(weights: str | Path | None, spec: str) -> None:
    """A network in a file brings its weights."""
    if weights is not None:
        raise InputError(f"{spec} contains weights; leave out weights ({str(weights)!r})")


def _unsaid(size: Sides | None) -> str:
    sides = f"become {size[0]} × {size[1]} and " if size else ""
    return (
        f"the network does not say how it wants its pictures: they {sides}are not normalised, unless --preset, --mean "
        "and --std (preprocessing=…) say how"
    )
