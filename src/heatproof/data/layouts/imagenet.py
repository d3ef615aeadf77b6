"""ILSVRC2012 validation: class folders, or a flat folder and the devkit's ground truth [Russakovsky2015]."""

import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy

from heatproof.data.dataset import Dataset, Member, file_member
from heatproof.data.layouts.matlab import unpacked
from heatproof.data.layouts.opening import DATASETS, expect, find, read_text
from heatproof.data.sources import search
from heatproof.errors import InputError
from heatproof.registry import is_whole

CLASSES = 1000
PICTURES = ("ILSVRC2012_img_val", "val", ".")
KITS = ("", "data/", "ILSVRC2012_devkit_t12/data/", "devkit/data/")
GROUND_TRUTH = tuple(f"{kit}ILSVRC2012_validation_ground_truth.txt" for kit in KITS)
SYNSETS = tuple(f"{kit}{file}" for kit in KITS for file in ("meta.mat", "map_clsloc.txt"))

_WNID = re.compile(r"n\d{8}")
_FLAT = re.compile(r"ILSVRC2012_val_(\d{8})\.jpe?g", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class Synset:
    """A class: its WordNet id, its number in the development kit (from 1), and its name."""

    wnid: str
    number: int
    name: str


@DATASETS.register("ilsvrc2012")
def ilsvrc2012(path: Path) -> Dataset:
    """ILSVRC2012 validation: class folders (also in val/), or a flat folder and the devkit's ground truth."""
    pictures = expect(path, PICTURES)
    kit = find(path, SYNSETS)
    synsets = _synsets(kit) if kit else None
    folders = sorted(folder.name for folder in pictures.iterdir() if _WNID.fullmatch(folder.name))
    return _in_folders(pictures, folders, synsets) if folders else _flat(path, pictures, synsets)


def _in_folders(root: Path, folders: list[str], synsets: list[Synset] | None) -> Dataset:
    """Class indices count the sorted ids of all thousand classes, so they need a list where folders are missing."""
    wnids = [synset.wnid for synset in synsets] if synsets else folders if len(folders) == CLASSES else []
    indices = {wnid: index for index, wnid in enumerate(wnids)}
    filled = [name for name in folders if any((root / name).iterdir())]
    found = [f"{name}/{picture}" for name in filled for picture in search(root / name)]
    members = tuple(
        file_member(str(root), picture, indices.get(picture.partition("/")[0]))
        for picture in sorted(found, key=_number)
    )
    classes = tuple(synset.name for synset in synsets) if synsets else tuple(wnids)
    without = f"no labels: {len(folders)} of {CLASSES} class folders, and no {' or '.join(SYNSETS[:2])} to number them"
    return Dataset("ilsvrc2012", members, classes, () if wnids else (without,))


def _flat(path: Path, root: Path, synsets: list[Synset] | None) -> Dataset:
    names = (file.name for file in root.iterdir())
    found = [(int(match[1]), name) for name in names if (match := _FLAT.fullmatch(name))]
    if not found:
        raise InputError("expected class folders such as n01440764, or ILSVRC2012_val_00000001.JPEG …, got neither")
    truth = find(path, GROUND_TRUTH)
    if truth is None:
        members = tuple(file_member(str(root), name) for _, name in sorted(found))
        return Dataset("ilsvrc2012", members, (), (f"no labels: there is no {GROUND_TRUTH[0]}",))
    if synsets is None:
        raise InputError(f"expected {' or '.join(SYNSETS[:2])} beside {truth.name}, which numbers its classes so")
    indices = {synset.number: index for index, synset in enumerate(synsets)}
    numbers = read_text(truth).split()
    return Dataset(
        "ilsvrc2012",
        tuple(_labelled(number, root, name, numbers, indices) for number, name in sorted(found)),
        tuple(synset.name for synset in synsets),
    )


def _number(picture: str) -> int:
    """Number of a validation picture, so that the first ones are the same in every layout; others keep their order."""
    match = _FLAT.fullmatch(picture.rpartition("/")[2])
    return int(match[1]) if match else 0


def _labelled(number: int, root: Path, name: str, numbers: list[str], indices: dict[int, int]) -> Member:
    if not 1 <= number <= len(numbers):
        raise InputError(f"expected a line of ground truth for {name}, got {len(numbers)} lines")
    text = numbers[number - 1]
    if not is_whole(text) or int(text) not in indices:
        raise InputError(f"line {number} of {GROUND_TRUTH[0]}: expected the number of a class, got {text!r:.80}")
    return file_member(str(root), name, indices[int(text)])


def _synsets(path: Path) -> list[Synset]:
    """The classes sorted by their ids, which is the order of every published network's outputs."""
    synsets = sorted(_from_mat(path) if path.suffix == ".mat" else _from_text(path))
    if not synsets or len({synset.number for synset in synsets}) < len(synsets):
        raise InputError(f"expected different numbers of all classes in {path.name!r}")
    return synsets


def _from_mat(path: Path) -> list[Synset]:
    """The development kit's own table; inner nodes of the hierarchy have children, and are no classes."""
    try:
        table = np.atleast_1d(
            scipy.io.loadmat(io.BytesIO(unpacked(path)), squeeze_me=True, variable_names=["synsets"])["synsets"]
        )
        rows = zip(*(table[field] for field in ("num_children", "WNID", "ILSVRC2012_ID", "words")), strict=True)
        return [Synset(str(wnid), int(number), str(words)) for children, wnid, number, words in rows if not children]
    except Exception as error:  # SciPy raises nearly every kind of exception on malformed files
        raise InputError(f"expected the devkit's {path.name}, got a file that cannot be read: {error}") from error


def _from_text(path: Path) -> list[Synset]:
    """Lines ``n02119789 1 kit_fox``."""
    lines = [line.split(maxsplit=2) for line in read_text(path).splitlines() if line.strip()]
    if not all(len(line) == 3 and _WNID.fullmatch(line[0]) and is_whole(line[1]) for line in lines):
        raise InputError(f"expected lines 'n02119789 1 kit_fox' in {path.name}, got others")
    return [Synset(wnid, int(number), name.replace("_", " ")) for wnid, number, name in lines]
