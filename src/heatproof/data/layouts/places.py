"""MIT Places: lists of pictures with class indices, categories, and folders of pictures [Zhou2014, Zhou2017]."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from heatproof.data.dataset import Dataset
from heatproof.data.layouts.lists import listed, read_list
from heatproof.data.layouts.opening import DATASETS, check_option, expect, find
from heatproof.errors import InputError

_LISTS365 = (".", "filelist_places365-standard", "places_devkit")
_LISTS205 = (".", "trainvalsplit_places205", "trainvalsplit")
_PICTURES205 = ("data/vision/torralba/deeplearning/images256", "images256", "images", ".")


@DATASETS.register("places365")
def places365(path: Path, *, split: str = "val") -> Dataset:
    """Places365: places365_val.txt or _test.txt, pictures in val_256 or val_large, categories_places365.txt."""
    check_option("split of Places365", split, ("val", "test"))
    names = expect(path, _in(_LISTS365, f"places365_{split}.txt"))
    pictures = expect(path, (f"{split}_256", f"{split}_large", split))
    categories = find(path, _in(_LISTS365, "categories_places365.txt"))
    return _places("places365", names, pictures, categories)


@DATASETS.register("places205")
def places205(path: Path, *, split: str = "val") -> Dataset:
    """Places205: val_places205.csv or train_places205.csv, pictures in images256; its test set is a plain folder."""
    check_option("split of Places205", split, ("val", "train"))
    names = expect(path, _in(_LISTS205, f"{split}_places205.csv"))
    pictures = expect(path, _PICTURES205)
    categories = find(path, _in(_LISTS205, "categoryIndex_places205.csv"))
    return _places("places205", names, pictures, categories)


def read_categories(path: Path) -> tuple[str, ...]:
    """Names by index, from lines such as ``/a/airfield 0``."""
    entries = sorted(read_list(path), key=lambda entry: -1 if entry.label is None else entry.label)
    if [entry.label for entry in entries] != list(range(len(entries))):
        raise InputError(f"expected lines 'name index' with indices 0, 1, 2, … in {path.name!r}, got others")
    return tuple(entry.path for entry in entries)


def _places(name: str, names: Path, pictures: Path, categories: Path | None) -> Dataset:
    """Paths in these lists may begin with a slash and mean the data set's folder all the same; they never leave it."""
    entries = []
    for entry in read_list(names):
        path = PurePosixPath(entry.path.lstrip("/"))
        if ".." in path.parts:
            raise InputError(
                f"line {entry.line} of {names.name}: expected a path inside the data set, got {entry.path!r}"
            )
        entries.append(replace(entry, path=str(path)))
    return listed(name, names, entries, pictures, read_categories(categories) if categories else ())


def _in(folders: tuple[str, ...], file: str) -> tuple[str, ...]:
    return tuple(file if folder == "." else f"{folder}/{file}" for folder in folders)
