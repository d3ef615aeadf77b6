"""Many files into one batch of images, keeping account of those that could not be used."""

import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from heatproof.data.ahead import read_ahead
from heatproof.data.dataset import Dataset, Member, file_member
from heatproof.data.layouts import names_dataset, open_dataset
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
        labels: (N,) true class indices, where the data set has them.
        classes: names of the classes, where the data set has them.
        numbers: N places in the data set, counted from 0.
    """

    images: Tensor
    names: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()


def read_pictures(
    sources: Sources | Dataset,
    preprocessing: Preprocessing,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Pictures:
    """Reads every picture that ``sources`` name, resized and cropped; those that cannot be used are skipped.

    Args:
        sources: files, folders, or ``builtin`` (see :func:`heatproof.data.find_pictures`), ``NAME:PATH``; a data set.
        preprocessing: what the network wants; its normalisation is left to the network.
        on_progress: called after each file with the number done and the number of all.

    Raises:
        InputError: when no picture can be used, or when pictures differ in size.

    >>> pictures = read_pictures("builtin", Preprocessing(resize=64, crop=64))
    >>> pictures.images.shape, pictures.skipped
    (torch.Size([25, 3, 64, 64]), ())
    """
    dataset = sources if isinstance(sources, Dataset) else as_dataset(sources)
    pictures = read_shard(dataset, range(len(dataset)), preprocessing, on_progress=on_progress)
    if len(pictures.skipped) == len(dataset):
        raise none_usable(pictures.skipped)
    return pictures


def none_usable(skipped: Sequence[tuple[str, str]]) -> InputError:
    """The error where all pictures were skipped, from their names and why each was."""
    if len(skipped) == 1:
        return InputError(f"cannot use {skipped[0][0]!r}: {skipped[0][1]}")
    return InputError(f"expected at least one usable picture, got none of {len(skipped)}:\n{_listed(skipped)}")


def read_shard(
    dataset: Dataset,
    numbers: Sequence[int],
    preprocessing: Preprocessing,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> Pictures:
    """Reads some members of a data set, as :func:`read_pictures` does; it may be that none can be used.

    Args:
        dataset: the data set.
        numbers: places of the wanted members, counted from 0, each once.
        preprocessing: what the network wants; its normalisation is left to the network.
        on_progress: called after each picture with the number done and the number of all.
        workers: threads that decode; see :func:`heatproof.data.read_ahead`. They change no pixel.

    Returns:
        Pictures in the order of ``numbers``; ``.numbers`` are the places of those that could be used, ``.skipped`` has
        the others in the same order. Where none can be used, ``.images`` has the shape (0, C, 0, 0).

    Raises:
        InputError: for a place that is not there, or when pictures differ in size.

    >>> pictures = read_shard(as_dataset("builtin"), [3, 5], Preprocessing(resize=64, crop=64))
    >>> pictures.images.shape, pictures.numbers
    (torch.Size([2, 3, 64, 64]), (3, 5))
    """
    if len(set(numbers)) < len(numbers) or not all(0 <= number < len(dataset) for number in numbers):
        raise InputError(
            f"expected different places from 0 to {len(dataset) - 1} in the data set, got {list(numbers)!r:.80}"
        )
    images = torch.empty(0, len(preprocessing.mean), 0, 0)
    kept: list[int] = []
    skipped: list[tuple[str, str]] = []
    wanted = (dataset.members[number] for number in numbers)
    with closing(read_ahead(wanted, preprocessing, workers=workers)) as reads:
        for done, (number, read) in enumerate(zip(numbers, reads, strict=True), start=1):
            if read.pixels is None:
                skipped.append((read.member.name, read.reason))
            else:
                if not kept:  # made once and filled: five thousand images take 3 GB, and must not take it twice
                    images = torch.empty(len(numbers), *read.pixels.shape, dtype=torch.float32)
                _check_same_size(images, read.pixels, [*(dataset.members[first] for first in kept[:1]), read.member])
                images[len(kept)] = read.pixels.to(torch.float32) / 255
                kept.append(number)
            if on_progress:
                on_progress(done, len(numbers))
    members = [dataset.members[number] for number in kept]
    labels = None if dataset.labels is None else torch.tensor([member.label for member in members], dtype=torch.int64)
    names = tuple(member.name for member in members)
    return Pictures(images[: len(kept)], names, tuple(skipped), labels, dataset.classes, tuple(kept))


def as_dataset(sources: Sources) -> Dataset:
    """The pictures that ``sources`` name as a data set without labels, named by their paths as given.

    One source may also be ``NAME:PATH``, which is a data set by name (see :func:`heatproof.data.open_dataset`).
    """
    specs = [str(source) for source in ([sources] if isinstance(sources, str | os.PathLike) else sources)]
    named = [spec for spec in specs if names_dataset(spec)]
    if named and len(specs) > 1:
        raise InputError(f"expected one data set, or pictures and folders, got {named[0]!r} and others together")
    if named:
        return open_dataset(named[0])
    return Dataset("pictures", tuple(file_member("", str(path)) for path in find_pictures(sources)))


def load_images(sources: Sources, network: Preprocessing | HasPreprocessing) -> Tensor:
    """Images (N, 3, H, W), RGB in [0, 1], of the pictures that ``sources`` name, as ``network`` wants them.

    What cannot be used is skipped with one warning; :func:`heatproof.data.read_pictures` also tells which.

    >>> load_images("builtin", Preprocessing(resize=64, crop=64)).shape
    torch.Size([25, 3, 64, 64])
    """
    return _loaded(sources, network).images


def load_dataset(
    spec: str,
    network: Preprocessing | HasPreprocessing,
    *,
    count: int | None = None,
    first: bool = False,
    seed: int = 0,
) -> Pictures:
    """Images of a data set as its owners lay it out on disk, with its labels, as ``network`` wants them.

    Args:
        spec: ``NAME:PATH``, such as ``ilsvrc2012:PATH`` or ``sun397[categories=places365]:PATH``; see
            ``heatproof list data``.
        network: the network, or its preprocessing.
        count: how many images; by default all.
        first: the first ones in the owners' order; otherwise a sample without repetition.
        seed: of the sample.

    Returns:
        Pictures: ``.images`` (N, 3, H, W) float32, RGB in [0, 1] (12 bytes per pixel: 3.1 GB for 5040 images of
        227 × 227); ``.labels`` (N,) or None; ``.names``, ``.classes``, and ``.skipped``, of which a warning also tells.

    Raises:
        InputError: for a name or layout that is not known, for fewer images than ``count``, or if none can be used.

    >>> from heatproof.data import built_in_photographs
    >>> folder = built_in_photographs()[0].parent
    >>> pictures = load_dataset(f"folder:{folder}", Preprocessing(resize=64, crop=64), count=3, first=True)
    >>> pictures.images.shape, pictures.labels
    (torch.Size([3, 3, 64, 64]), None)
    """
    return _loaded(open_dataset(spec).choose(count, first=first, seed=seed), network)


def _loaded(sources: Sources | Dataset, network: Preprocessing | HasPreprocessing) -> Pictures:
    preprocessing = getattr(network, "preprocessing", network)
    if not isinstance(preprocessing, Preprocessing):
        raise InputError(f"expected a network or a Preprocessing, got {type(network).__name__}")
    pictures = read_pictures(sources, preprocessing)
    if pictures.skipped:
        total = len(pictures.names) + len(pictures.skipped)
        message = f"skipped {len(pictures.skipped)} of {total} pictures:\n{_listed(pictures.skipped)}"
        warnings.warn(message, UserWarning, stacklevel=3)
    return pictures


def _check_same_size(images: Tensor, pixels: Tensor, members: Sequence[Member]) -> None:
    if images.shape[1:] != pixels.shape:
        one, other = (" x ".join(map(str, values.shape[-2:])) for values in (images, pixels))
        raise InputError(
            f"expected pictures of one size, got {one} for {members[0].name!r} and {other} for {members[-1].name!r} "
            "(height x width); set crop, or resize=(height, width)"
        )


def _listed(skipped: Sequence[tuple[str, str]]) -> str:
    lines = [f"  {name!r}: {reason}" for name, reason in skipped[:_LISTED]]
    more = len(skipped) - _LISTED
    return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)
