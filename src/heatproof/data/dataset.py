"""A data set: named members that are decoded when they are wanted, and their labels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from PIL import Image

from heatproof.data.decoding import decode
from heatproof.errors import InputError
from heatproof.randomness import addressed


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

    def __len__(self) -> int:
        return len(self.members)

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


def file_member(name: str, path: Path, label: int | None = None) -> Member:
    """A picture in a file."""
    return Member(name, partial(decode, path), label)
