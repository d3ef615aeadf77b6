"""Any folder of pictures."""

from pathlib import Path

from heatproof.data.dataset import Dataset, as_text, file_member
from heatproof.data.layouts.opening import DATASETS
from heatproof.data.sources import search
from heatproof.errors import InputError


@DATASETS.register("folder")
def folder(path: Path) -> Dataset:
    """Any folder of pictures; if all of them lie in subfolders, these are the classes, numbered in sorted order."""
    if not path.is_dir():
        raise InputError("expected a folder, got a file; 'list:' reads text files, 'parquet:' Parquet files")
    pictures = search(path)
    found = {picture.partition("/")[0] for picture in pictures} if all("/" in picture for picture in pictures) else ()
    classes = tuple(sorted(found))
    indices = {name: index for index, name in enumerate(classes)}
    members = tuple(file_member(str(path), picture, indices.get(picture.partition("/")[0])) for picture in pictures)
    notes = () if classes else ("no labels: some pictures lie in no class folder",)
    return Dataset("folder", members, tuple(map(as_text, classes)), notes)
