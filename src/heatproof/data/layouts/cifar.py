"""CIFAR-10 in its binary form: one byte of label, 3072 of pixels [Krizhevsky2009]."""

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from heatproof.data.dataset import Dataset, Member
from heatproof.data.layouts.opening import DATASETS, check_option, find, read_text
from heatproof.errors import InputError
from heatproof.guarded import opened

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
MOST_RECORDS = 100_000  # of a file; the published ones have 10,000

FILES = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]}
FOLDERS = (".", "cifar-10-batches-bin")


@DATASETS.register("cifar10")
def cifar10(path: Path, *, split: str = "test") -> Dataset:
    """CIFAR-10, binary version: data_batch_1.bin … (split=train) or test_batch.bin (split=test)."""
    check_option("split of CIFAR-10", split, tuple(FILES))
    folder = find(path, (f"{folder}/{FILES[split][0]}" for folder in FOLDERS))
    if folder is None:
        raise InputError(_missing(path, split))
    files = [file for name in FILES[split] if (file := folder.parent / name).exists()]
    members = tuple(member for file in files for member in _members(file))
    absent = len(FILES[split]) - len(files)
    notes = (f"{absent} of {len(FILES[split])} batches are not there",) if absent else ()
    return Dataset("cifar10", members, _classes(folder.parent), notes)


def _members(file: Path) -> list[Member]:
    with opened(file, repr(file.name)) as records:
        size = records.seek(0, 2)
        if size > MOST_RECORDS * RECORD:
            raise InputError(f"expected at most {MOST_RECORDS:,} records in {file.name!r}, got {size:,} bytes")
        if not size or size % RECORD:
            raise InputError(
                f"expected records of {RECORD:,} bytes in {file.name!r}, got {size:,} bytes; download it again"
            )
        labels = np.memmap(records, dtype=np.uint8, mode="r").reshape(-1, RECORD)[:, 0].tolist()
    return [
        Member(f"{file.stem}-{number:05d}", partial(_read, file, number, label), label)
        for number, label in enumerate(labels)
    ]


def _read(file: Path, number: int, label: int, _: int) -> Image.Image:
    if label >= len(CLASSES):
        raise InputError(f"expected a label from 0 to {len(CLASSES) - 1}, got {label}")
    pixels = np.fromfile(file, dtype=np.uint8, count=RECORD - 1, offset=number * RECORD + 1)
    if pixels.size != RECORD - 1:
        raise InputError("expected a complete record, got the end of the file")
    return Image.fromarray(np.ascontiguousarray(pixels.reshape(SHAPE).transpose(1, 2, 0)))  # (32, 32, 3)


def _classes(folder: Path) -> tuple[str, ...]:
    names = folder / "batches.meta.txt"
    found = tuple(read_text(names).split()) if names.exists() else CLASSES
    if len(found) != len(CLASSES):
        raise InputError(f"expected {len(CLASSES)} names in batches.meta.txt, got {len(found)}")
    return found


def _missing(path: Path, split: str) -> str:
    python_version = (path, path / "cifar-10-batches-py")
    if any((folder / name).exists() for folder in python_version for name in ("data_batch_1", "test_batch")):
        return (
            "this is CIFAR-10's Python version, whose files are pickles: opening one runs whatever code is in it, so "
            "heatproof never does; get the binary version (cifar-10-binary.tar.gz) from the same page"
        )
    return f"expected {FILES[split][0]} in it (CIFAR-10's binary version), found none"
