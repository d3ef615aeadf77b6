"""SUN397: folders ``letter/category[/sub]`` of scenes [Xiao2010], and its categories in the Places label sets."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from heatproof.data.dataset import Dataset, Member, as_text, file_member
from heatproof.data.layouts.opening import DATASETS, find
from heatproof.data.layouts.places import read_categories
from heatproof.data.sources import search
from heatproof.errors import InputError

TABLE = "sun397_places365.csv"


@DATASETS.register("sun397")
def sun397(path: Path, *, categories: str = "all") -> Dataset:
    """SUN397; categories=places365 keeps those that Places365 has, with its labels; or a file of other categories."""
    root = find(path, ("SUN397", ".")) or path
    index, classes = _label_set(categories)
    members: list[Member] = []
    unknown: Counter[str] = Counter()
    known = {plain(name) for name, _ in sun_to_places365()}
    for picture in search(root):
        folder = picture.rpartition("/")[0]
        category = plain(folder)
        if category not in known:
            unknown[as_text(folder) or "."] += 1
        elif category in index:
            members.append(file_member(str(root), picture, index[category]))
    if not members:
        raise InputError(
            f"expected folders letter/category of SUN397 with pictures ({categories=}), got none among "
            f"{len(unknown)} folders; 'folder:' takes any"
        )
    examples = ", ".join(sorted(unknown)[:3])
    note = (
        f"{unknown.total()} pictures in {len(unknown)} folders that are no SUN397 categories are left out ({examples})"
    )
    return Dataset("sun397", tuple(members), classes, (note,) if unknown else ())


def sun_to_places365() -> list[tuple[str, int | None]]:
    """The 397 categories in sorted order, each with its index in Places365, if that has it."""
    text = files("heatproof.data.layouts").joinpath(TABLE).read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return [(row["sun397"], int(row["index"]) if row["index"] else None) for row in rows]


def match(names: Sequence[str], others: Sequence[str]) -> list[int | None]:
    """Index of the other name that differs only in spelling, for each name.

    The rule: names are equal when their words and qualifiers are, whether a qualifier is set off by a slash, a dash or
    an underscore, and with or without the letter in front.

    >>> match(["desert-sand", "abbey"], ["/a/airfield", "/d/desert/sand"])
    [1, None]
    """
    places = {plain(other): index for index, other in enumerate(others)}
    return [places.get(plain(name)) for name in names]


def plain(name: str) -> str:
    """A category as words joined by underscores.

    >>> plain("/d/desert/sand"), plain("desert-sand"), plain("a/abbey")
    ('desert_sand', 'desert_sand', 'abbey')
    """
    return re.sub(r"[/\- ]+", "_", re.sub(r"^/?[a-z]/", "", name.strip().lower()).strip("/"))


def _label_set(categories: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """Index of each category that is wanted, and the names of all classes."""
    table = sun_to_places365()
    names = [name for name, _ in table]
    if categories == "all":
        return {plain(name): index for index, name in enumerate(names)}, tuple(names)
    if categories == "places365":
        return {plain(name): index for name, index in table if index is not None}, ()
    others = read_categories(Path(categories))
    found = match(names, others)
    return {plain(name): index for name, index in zip(names, found, strict=True) if index is not None}, others
