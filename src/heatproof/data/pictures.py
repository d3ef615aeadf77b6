"""Many files into one batch of images, keeping account of those that could not be used."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
import torchvision.transforms.functional as F
from torch import Tensor

from heatproof.data.decoding import decode
from heatproof.data.preprocessing import Preprocessing
from heatproof.data.sources import Sources, find_pictures
from heatproof.errors import InputError

_LISTED = 5


class HasPreprocessing(Protocol):
    """A network, as far as reading pictures for it goes."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How it wants its pictures."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images that could be read, their names, and what was skipped and why.

    Args:
        images: (N, 3, H, W) float32, RGB in [0, 1]; (N, 1, H, W) for a network with one channel.
        names: N paths, as given.
        skipped: (path, reason) of each picture that could not be used.
    """

    images: Tensor
    names: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def read_pictures(
    sources: Sources, preprocessing: Preprocessing, *, on_progress: Callable[[int, int], None] | None = None
) -> Pictures:
    """Reads every picture that ``sources`` name, resized and cropped; those that cannot be used are skipped.

    Args:
        sources: files, folders, or ``builtin``; see :func:`heatproof.data.find_pictures`.
        preprocessing: what the network wants; its normalisation is left to the network.
        on_progress: called after each file with the number done and the number of all.

    Raises:
        InputError: when no picture can be used, or when pictures differ in size.

    >>> pictures = read_pictures("builtin", Preprocessing(resize=64, crop=64))
    >>> pictures.images.shape, pictures.skipped
    (torch.Size([25, 3, 64, 64]), ())
    """
    paths = find_pictures(sources)
    read: list[tuple[str, Tensor]] = []
    skipped: list[tuple[str, str]] = []
    for done, path in enumerate(paths, start=1):
        try:
            read.append((_name(path), _pixels(path, preprocessing)))
        except InputError as error:
            skipped.append((_name(path), str(error)))
        else:
            _check_same_size(read[0], read[-1])
        if on_progress:
            on_progress(done, len(paths))
    if not read:
        raise InputError(_refusal(skipped))
    names, pixels = zip(*read, strict=True)
    return Pictures(torch.stack(pixels).to(torch.float32) / 255, names, tuple(skipped))


def load_images(sources: Sources, network: Preprocessing | HasPreprocessing) -> Tensor:
    """Images (N, 3, H, W), RGB in [0, 1], of the pictures that ``sources`` name, as ``network`` wants them.

    What cannot be used is skipped with one warning; :func:`heatproof.data.read_pictures` also tells which.

    >>> load_images("builtin", Preprocessing(resize=64, crop=64)).shape
    torch.Size([25, 3, 64, 64])
    """
    preprocessing = getattr(network, "preprocessing", network)
    if not isinstance(preprocessing, Preprocessing):
        raise InputError(f"expected a network or a Preprocessing, got {type(network).__name__}")
    pictures = read_pictures(sources, preprocessing)
    if pictures.skipped:
        total = len(pictures.names) + len(pictures.skipped)
        message = f"skipped {len(pictures.skipped)} of {total} pictures:\n{_listed(pictures.skipped)}"
        warnings.warn(message, UserWarning, stacklevel=2)
    return pictures.images


def _name(path: Path) -> str:
    """The path as text that any file can hold: bytes that are not UTF-8 are written as escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def _pixels(path: Path, preprocessing: Preprocessing) -> Tensor:
    pixels: Tensor = F.pil_to_tensor(preprocessing.fit(decode(path)))  # (C, H, W) uint8: a quarter of the memory
    return pixels


def _check_same_size(first: tuple[str, Tensor], other: tuple[str, Tensor]) -> None:
    if first[1].shape != other[1].shape:
        height, width = first[1].shape[1:]
        other_height, other_width = other[1].shape[1:]
        raise InputError(
            f"expected pictures of one size, got {height} x {width} for {first[0]!r} and {other_height} x "
            f"{other_width} for {other[0]!r} (height x width); set crop, or resize=(height, width)"
        )


def _refusal(skipped: Sequence[tuple[str, str]]) -> str:
    if len(skipped) == 1:
        return f"cannot use {skipped[0][0]!r}: {skipped[0][1]}"
    return f"expected at least one picture that can be used, got none of {len(skipped)}:\n{_listed(skipped)}"


def _listed(skipped: Sequence[tuple[str, str]]) -> str:
    lines = [f"  {name!r}: {reason}" for name, reason in skipped[:_LISTED]]
    more = len(skipped) - _LISTED
    return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)
