"""Any folder of pictures."""

from pathlib import Path

from heatproof.data.dataset import Dataset, file_member
from heatproof.data.layouts.opening import DATASETS
from heatproof.data.sources import search
from heatproof.errors import InputError


@DATASETS.register("folder")
def folder(path: Path) -> Dataset:
    """Any folder of pictures; if all of them lie in subfolders, these are the classes, numbered in sorted order."""
    if not path.is_dir():
        raise InputError("expected a folder, got a file; 'list:' reads text files, 'parquet:' Parquet files")
    pictures = search(path)
    parts = [picture.relative_to(path).parts for picture in pictures]
    classes = tuple(sorted({part[0] for part in parts})) if all(len(part) > 1 for part in parts) else ()
    indices = {name: index for index, name in enumerate(classes)}
    members = tuple(
        file_member(Path(*part).as_posix(), picture, indices.get(part[0]))
        for picture, part in zip(pictures, parts, strict=True)
    )
    notes = () if classes else ("no labels: some pictures lie in no class folder",)
    return Dataset("folder", members, classes, notes)
