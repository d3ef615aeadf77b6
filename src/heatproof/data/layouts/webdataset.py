"""WebDataset: pictures with their labels in tar files, read where they lie; nothing is ever unpacked."""

import glob
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, product
from math import prod
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from heatproof.data.dataset import LARGEST_LABEL, Dataset, Member, as_text
from heatproof.data.decoding import decode_bytes
from heatproof.data.layouts.opening import DATASETS, without_labels
from heatproof.data.layouts.tar import TarEntry, plain_files
from heatproof.data.sources import EXTENSIONS, examine
from heatproof.errors import InputError
from heatproof.guarded import opened
from heatproof.registry import is_whole

MOST_SHARDS = 100_000
LARGEST_LABEL_FILE = 2**16  # bytes
LARGEST_PICTURE = 2**30  # bytes
LABEL_KEYS = ("label", "cls", "class_index", "target")

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d{1,9})\.\.(\d{1,9})")


@DATASETS.register("webdataset")
def webdataset(path: Path) -> Dataset:
    """Tar shards of WebDataset: a .tar, a folder of them, or shards-{000..009}.tar; labels in .cls or .json."""
    shards = _shards(path)
    stems = [shard.stem for shard in shards]
    unique = len(set(stems)) == len(stems)
    members = tuple(
        member
        for number, shard in enumerate(shards)
        for member in _members(shard, shard.stem if unique else f"{number:05d}-{shard.stem}")
    )
    if not members:
        raise InputError(f"expected pictures ({', '.join(EXTENSIONS)}) in {len(shards)} tar files, got none")
    return Dataset("webdataset", members, (), without_labels(members))


def _shards(path: Path) -> list[Path]:
    text = str(path)
    if path.is_dir():
        found = sorted(path.glob("*.tar"))
    elif set(text) & set("{*?") and not path.exists():
        found = [Path(file) for pattern in expanded(text) for file in sorted(glob.glob(pattern) or [pattern])]  # noqa: PTH207
    else:
        found = [path]
    if not found:
        raise InputError("expected a tar file or a folder with *.tar, got a folder without any")
    for shard in found:
        examine(shard)
    return found


def expanded(text: str) -> list[str]:
    """What braces stand for.

    >>> expanded("{train,val}-{08..10}.tar")[:3]
    ['train-08.tar', 'train-09.tar', 'train-10.tar']
    """
    pieces = _BRACES.split(text)
    choices = [_choices(piece) if odd % 2 else [piece] for odd, piece in enumerate(pieces)]
    count = prod(map(len, choices))
    if count > MOST_SHARDS:
        raise InputError(f"expected at most {MOST_SHARDS:,} shards, got {count:,}")
    return ["".join(parts) for parts in product(*choices)]


def _choices(inside: str) -> list[str]:
    found = _RANGE.fullmatch(inside)
    if not found:
        return inside.split(",")
    low, high = int(found[1]), int(found[2])
    if high - low >= MOST_SHARDS:
        raise InputError(f"expected at most {MOST_SHARDS:,} shards, got {{{inside}}}")
    return [str(number).zfill(len(found[1])) for number in range(low, high + 1)]


def _members(shard: Path, name: str) -> Iterator[Member]:
    """Samples: files that stand one after the other and have the same name up to the first dot."""
    try:
        with opened(shard, repr(shard.name)) as archive:
            for key, entries in groupby(plain_files(archive), lambda entry: _split(entry)[0]):
                member = _member(shard, f"{as_text(name)}/{key}", archive, entries)
                if member:
                    yield member
    except (InputError, OSError) as error:
        raise InputError(f"expected an uncompressed tar file, got {shard.name!r}: {error}") from error


def _split(entry: TarEntry) -> tuple[str, str]:
    """What the files of a sample have in common, and the ending."""
    folder, slash, file = as_text(entry.name).rpartition("/")
    key, _, ending = file.partition(".")
    return folder + slash + key, f".{ending.lower()}"


def _member(shard: Path, name: str, archive: BinaryIO, entries: Iterable[TarEntry]) -> Member | None:
    """The picture and the label in the files of a sample; key.png comes before key.something.png."""
    pictures: dict[bool, TarEntry] = {}
    labels: dict[str, int] = {}
    for entry in entries:
        ending = _split(entry)[1]
        if ending.endswith(EXTENSIONS):
            pictures.setdefault(ending in EXTENSIONS, entry)
        elif ending in (".cls", ".json") and entry.size <= LARGEST_LABEL_FILE:
            archive.seek(entry.offset)
            label = _label(ending, archive.read(entry.size))
            labels |= {} if label is None else {ending: label}
    picture = pictures.get(True, pictures.get(False))
    if picture is None:
        return None
    reading = _TarPicture(str(shard), picture.offset, picture.size)
    return Member(name, reading, labels.get(".cls", labels.get(".json")))


def _label(ending: str, content: bytes) -> int | None:
    """The class index in a ``.cls``, or in a ``.json`` under a usual key."""
    text = content.decode("utf-8", "replace").strip()
    if ending == ".cls":
        return int(text) if is_whole(text) else None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    values = [found.get(key) for key in LABEL_KEYS] if isinstance(found, dict) else [found]
    return next((v for v in values if isinstance(v, int) and not isinstance(v, bool) and 0 <= v <= LARGEST_LABEL), None)


@dataclass(frozen=True, slots=True)
class _TarPicture:
    """A picture within a tar file."""

    shard: str
    offset: int
    size: int

    def __call__(self, max_pixels: int) -> Image.Image:
        if self.size > LARGEST_PICTURE:
            raise InputError(f"expected at most {LARGEST_PICTURE:,} bytes, got {self.size:,}")
        shard = Path(self.shard)
        try:
            with opened(shard, repr(shard.name)) as file:
                file.seek(self.offset)
                content = file.read(self.size)
        except OSError as error:
            raise InputError(f"{shard.name}: {error.strerror}") from error
        if len(content) < self.size:
            raise InputError("expected a complete picture, got the end of the tar file")
        return decode_bytes(content, max_pixels)
