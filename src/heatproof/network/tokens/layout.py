"""Where tokens stand in a value: each of its dimensions is a product of atoms, one of which may be the tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from heatproof.errors import InputError

PROBE = 10_007  # images that shapes are found for: a prime, so that no other size is taken for the batch


class CannotDropError(InputError):
    """A network whose patches cannot be left out."""


@dataclass(frozen=True)
class Grid:
    """The patches that a network cuts images into, from the top left corner on."""

    rows: int
    columns: int
    height: int  # pixels of a patch
    width: int

    @property
    def count(self) -> int:
        """How many patches an image has."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Atom:
    """A factor of a dimension's length.

    Attributes:
        size: with all tokens, and ``PROBE`` images.
        kind: "batch", "rows" or "columns" of patches, "tokens", or "" for anything else.
        patch: pixels along one side of a patch, for rows and columns.
        grid: of the patches, for tokens.
        before: tokens before those of patches, such as a class token.
        after: tokens after them.
        weighted: whether values are weights of tokens, such as those of a softmax: without a token, its term vanishes.
    """

    size: int
    kind: str = ""
    patch: int = 1
    grid: Grid | None = None
    before: int = 0
    after: int = 0
    weighted: bool = False

    def length(self, batch: int, kept: int) -> int:
        """Length for so many images, and so many patches that are left."""
        if self.kind == "tokens":
            return self.before + kept + self.after
        return batch if self.kind == "batch" else self.size


Group = tuple[Atom, ...]  # of one dimension, the outermost first; none where its length is 1
Layout = tuple[Group, ...]


def plain(size: int) -> Group:
    """The dimension of something else than tokens and images."""
    return () if size == 1 else (Atom(size),)


def of_shape(shape: Iterable[int]) -> Layout:
    """The layout of a value without tokens, from its shape for ``PROBE`` images."""
    groups = tuple((Atom(size, "batch"),) if size == PROBE else plain(size) for size in shape)
    if any(atom.size % PROBE == 0 for group in groups for atom in group if not atom.kind):
        raise CannotDropError("images are mixed with other dimensions")
    return groups


def length(group: Group, batch: int = PROBE, kept: int | None = None) -> int:
    """Length of a dimension; by default with all tokens."""
    return prod(atom.size if kept is None else atom.length(batch, kept) for atom in group)


def is_plain(group: Group) -> bool:
    """Whether a dimension has neither tokens nor images."""
    return not any(atom.kind for atom in group)


def tokens_of(group: Group) -> Atom | None:
    """The tokens in a dimension, if there are any."""
    return next((atom for atom in group if atom.kind == "tokens"), None)


def alone(group: Group, what: str) -> Atom:
    """The tokens that are a dimension of their own; ``what`` else would have to be done with it."""
    if len(group) == 1 and group[0].kind == "tokens":
        return group[0]
    raise CannotDropError(f"{what} tokens and other dimensions at once")


def has_positions(layout: Layout) -> bool:
    """Whether a value has tokens, or a map of patches."""
    return any(atom.kind not in ("", "batch") for group in layout for atom in group)


def is_sequence(layout: Layout) -> bool:
    """Whether images and tokens have a dimension each."""
    kinds = [tuple(atom.kind for atom in group) for group in layout]
    return ("batch",) in kinds and ("tokens",) in kinds and sum(map(len, kinds)) == len([k for k in kinds if k])


def unweighted(layout: Layout) -> Layout:
    """The same places, of values that are no weights."""
    return tuple(tuple(replace(atom, weighted=False) for atom in group) for group in layout)


def without_patches(layout: Layout) -> Layout:
    """The layout of the same values, where no patch has a token."""
    return tuple(
        _joined([Atom(atom.length(1, 0)) if atom.kind == "tokens" else atom for atom in group]) for group in layout
    )


def same(one: Group, other: Group) -> bool:
    """Whether two dimensions hold the same things."""
    if is_plain(one) and is_plain(other):
        return length(one) == length(other)
    return unweighted((one,)) == unweighted((other,))


def broadcast(layouts: Sequence[Layout]) -> Layout:
    """The layout of what is computed place by place from values with these."""
    found = []
    for back in range(max(map(len, layouts)), 0, -1):
        groups = [layout[-back] for layout in layouts if len(layout) >= back and layout[-back]]
        if any(not same(groups[0], group) for group in groups):
            raise CannotDropError("tokens meet something else of the same length")
        weighted = any(atom.weighted for group in groups for atom in group)
        found.append(tuple(replace(atom, weighted=weighted and atom.kind == "tokens") for atom in (groups or [()])[0]))
    return tuple(found)


def regrouped(layout: Layout, sizes: Sequence[int]) -> Layout:
    """The layout of the same values in another shape.

    Raises:
        CannotDropError: if tokens would be divided, as into windows.
    """
    waiting = list(_joined([atom for group in layout for atom in group], maps=False))[::-1]
    found = []
    for size in sizes:
        group: list[Atom] = []
        while size > 1:
            atom = waiting.pop()
            if size % atom.size:
                atom, rest = _divided(atom, size)
                waiting.append(rest)
            group.append(atom)
            size //= atom.size
        found.append(_joined(group))
    return tuple(found)


def _divided(atom: Atom, size: int) -> tuple[Atom, Atom]:
    """The outer part of an atom, of this size, and the inner one; a map of pixels becomes patches."""
    if atom.size % size:
        raise CannotDropError("tokens are reshaped together with other dimensions")
    inner = atom.size // size
    if not atom.kind:
        return Atom(size), Atom(inner)
    if atom.kind in ("rows", "columns") and atom.patch == 1:
        return replace(atom, size=size, patch=inner), Atom(inner)
    if atom.kind == "batch":
        raise CannotDropError("images are mixed with other dimensions")
    raise CannotDropError("tokens are divided into windows or into a map, so that their number cannot change")


def _joined(group: Sequence[Atom], *, maps: bool = True) -> Group:
    """Atoms side by side: rows and columns of a map in one dimension are tokens, other neighbours one atom."""
    found: list[Atom] = []
    for atom in group:
        last = found[-1] if found else None
        if maps and last and (last.kind, atom.kind) == ("rows", "columns"):
            grid = Grid(last.size, atom.size, last.patch, atom.patch)
            found[-1] = Atom(grid.count, "tokens", grid=grid)
        elif last and not last.kind and not atom.kind:
            found[-1] = Atom(last.size * atom.size)
        elif atom.size > 1:
            found.append(atom)
    return tuple(found)


@dataclass(frozen=True)
class Kept:
    """The patches (B, n) that are left of B images, in ascending order."""

    patches: Tensor

    @property
    def batch(self) -> int:
        """How many images."""
        return len(self.patches)

    @property
    def count(self) -> int:
        """How many patches are left of each."""
        return self.patches.shape[1]

    def shape(self, layout: Layout) -> list[int]:
        """Shape of a value with this layout."""
        return [length(group, self.batch, self.count) for group in layout]

    def positions(self, tokens: Atom) -> Tensor:
        """(B, k) positions that are left of a sequence of tokens."""
        fixed = torch.arange(tokens.before + tokens.after, device=self.patches.device).expand(self.batch, -1)
        first, last = fixed.tensor_split([tokens.before], dim=1)
        patches = tokens.size - tokens.before - tokens.after
        return torch.cat([first, self.patches + tokens.before, last + patches], dim=1)

    def selected(self, value: Tensor, layout: Layout) -> Tensor:
        """A value of all tokens, or one that is broadcast over images, with those that are left.

        ``layout`` is that of what it is computed with, to which it is broadcast.
        """
        value = value.reshape([1] * (len(layout) - value.ndim) + list(value.shape))
        for dimension, group in enumerate(layout):
            tokens = tokens_of(group)
            if tokens is not None and value.shape[dimension] > 1:
                index = self.spread(self.positions(tokens), layout, dimension)
                value = torch.take_along_dim(value, index, dim=dimension)
        return value

    def bias(self, layout: Layout, dimension: int, like: Tensor) -> Tensor:
        """Zero, and −∞ at tokens that are left out, along a dimension of a value with all tokens."""
        tokens = alone(layout[dimension], "masks")
        bias = like.new_full((self.batch, tokens.size), -torch.inf).scatter(1, self.positions(tokens), 0.0)
        return self.spread(bias, layout, dimension)

    def spread(self, values: Tensor, layout: Layout, dimension: int) -> Tensor:
        """Values (B, k), one row for each image, along a dimension, and that of images, of a value with this layout."""
        (place,) = (number for number, group in enumerate(layout) if any(atom.kind == "batch" for atom in group))
        sizes = [atom.length(self.batch, self.count) for atom in layout[place]]
        along = [self.batch if atom.kind == "batch" else 1 for atom in layout[place]]
        images = torch.arange(self.batch, device=values.device).reshape(along).expand(sizes).flatten()
        rows = values[images]  # (images and what they stand beside, k)
        if place > dimension:
            rows = rows.t()
        shape = [1] * len(layout)
        shape[place], shape[dimension] = len(images), values.shape[1]
        return rows.reshape(shape)
