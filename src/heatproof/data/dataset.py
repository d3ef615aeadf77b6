"""A data set: named members that are decoded when they are wanted, and their labels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from PIL import Image

from heatproof.data.decoding import decode
from heatproof.errors import InputError
from heatproof.randomness import addressed

LARGEST_LABEL = 999_999_999  # nine digits


@dataclass(frozen=True, slots=True)
class Member:
    """One picture of a data set: its name, how to decode it, and its class.

    ``read`` takes the most pixels that a picture may have, and gives RGB or raises an InputError.
    """

    name: str
    read: Callable[[int], Image.Image]
    label: int | None = None


@dataclass(frozen=True)
class Dataset:
    """Pictures in their owners' order; none is decoded before it is read.

    Args:
        name: of the data set.
        members: its pictures, with different names.
        classes: names of the classes, by index; empty where they are not known.
        notes: what a user must know, such as why there are no labels.
    """

    name: str
    members: tuple[Member, ...]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.members:
            raise InputError(f"expected pictures in the data set {self.name}, got none")
        if len({member.name for member in self.members}) < len(self.members):
            raise InputError(f"expected different names of all pictures in the data set {self.name}")
        wrong = next((m for m in self.members if m.label is not None and not 0 <= m.label <= LARGEST_LABEL), None)
        if wrong:
            raise InputError(
                f"expected class indices from 0 to {LARGEST_LABEL} in the data set {self.name}, got {wrong.label} for "
                f"{wrong.name!r}"
            )

    def __len__(self) -> int:
        return len(self.members)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the data set's name, the names of its members in order, their labels, and the classes.

        It tells a resumed run that the pictures are the same, in half a second for a million. What the files
        hold is left out: they would all have to be read, and one that breaks on the way is skipped, as it always is.

        >>> def unread(max_pixels): ...
        >>> Dataset("letters", (Member("a", unread), Member("b", unread))).fingerprint
        '67e971cf6c384a32'
        """
        digest = blake2b(repr((self.name, self.classes)).encode(), digest_size=8)
        for member in self.members:
            digest.update(repr((member.name, member.label)).encode())
        return digest.hexdigest()

    @cached_property
    def labels(self) -> tuple[int, ...] | None:
        """The class index of each member; None unless every member has one."""
        labels = tuple(member.label for member in self.members if member.label is not None)
        return labels if len(labels) == len(self.members) else None

    def choose(self, count: int | None, *, first: bool = False, seed: int = 0) -> "Dataset":
        """The first ``count`` members, or a sample of them in their owners' order; a larger sample holds the smaller.

        >>> def unread(max_pixels): ...
        >>> dataset = Dataset("letters", tuple(Member(letter, unread) for letter in "abcdef"))
        >>> [member.name for member in dataset.choose(3, first=True).members]
        ['a', 'b', 'c']
        >>> len(dataset.choose(3).members)
        3
        """
        if count is None:
            if first:
                raise InputError("expected a number of images with 'first', got none; say how many")
            return self
        if not 1 <= count <= len(self):
            raise InputError(f"expected a number of images from 1 to {len(self)} (all of {self.name}), got {count}")
        if first:
            return replace(self, members=self.members[:count])
        drawn = addressed(seed=seed, image="", purpose="sample of a data set").permutation(len(self))[:count]
        return replace(self, members=tuple(self.members[i] for i in sorted(drawn.tolist())))


@dataclass(frozen=True, slots=True)
class FileSource:
    """A picture in a file below a folder, which many share: a million of these take 48 MB."""

    folder: str
    path: str

    def __call__(self, max_pixels: int) -> Image.Image:
        """The picture, as :func:`heatproof.data.read_picture` reads it."""
        return decode(Path(self.folder, self.path), max_pixels)


def file_member(folder: str, path: str, label: int | None = None) -> Member:
    """A picture in a file, called by its path below ``folder``."""
    return Member(as_text(path), FileSource(folder, path), label)


def as_text(path: str) -> str:
    r"""A path as text that any file can hold: bytes that are not UTF-8 are written as escapes.

    >>> as_text("caf\udce9.png")
    'caf\\udce9.png'
    """
    return path if path.isascii() else path.encode("utf-8", "backslashreplace").decode("utf-8")
