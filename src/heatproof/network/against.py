"""Targets that are asked against another class: the difference of two logits is explained, and followed.

Where a function takes what is asked, it is the targets (N,), or (N, 2): each target, and the class against it.
"""

import difflib
from collections.abc import Sequence

import torch
from torch import Tensor

from heatproof.errors import InputError

SECOND = "second"  # the class with the highest logit of those that are not the target
Against = int | str


def as_class(against: Against, names: Sequence[str] | None, count: int) -> Against:
    """The index of the class that a name or a number means, of so many; ``second`` stays, as each image has its own.

    Raises:
        TypeError: for what is neither a text nor a whole number.
        InputError: for a name that no class has, or several have, or a number that is no class.
    """
    if isinstance(against, bool) or not isinstance(against, int | str):
        raise TypeError(f"against must be second, the name of a class, or its number, got {against!r:.80}")
    if count < 2:
        raise InputError(f"against {against!r} compares two classes, and the network has one; leave out against")
    if against == SECOND:
        return SECOND
    if isinstance(against, int):
        if not 0 <= against < count:
            raise InputError(f"against must be second, or a class from 0 to {count - 1}, got {against}")
        return against
    having = [index for index, name in enumerate(names or ()) if name == against]
    if len(having) > 1:
        raise InputError(f"against {against!r} names classes {', '.join(map(str, having))}: give one of these numbers")
    if not having:
        close = difflib.get_close_matches(against, names or (), n=1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        known = "" if names else ", as the names of the classes are not known"
        raise InputError(
            f"no class is called {against!r}; {meant}against must be second, the name of a class, or its number{known}"
        )
    return having[0]


def opponents(against: Against | Tensor, logits: Tensor, targets: Tensor) -> Tensor:
    """(N,) the class that each target is asked against, decided by these logits (N, classes) where it is ``second``.

    >>> opponents("second", torch.tensor([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0]]), torch.tensor([0, 1]))
    tensor([2, 0])
    """
    if isinstance(against, Tensor):
        return against.to(targets)
    if against == SECOND:
        return logits.scatter(1, targets[:, None], -torch.inf).argmax(dim=1)
    return torch.full_like(targets, int(against))


def together(targets: Tensor, against: Tensor | None) -> Tensor:
    """What is asked."""
    return targets if against is None else torch.stack([targets, against.to(targets)], dim=1)


def apart(asked: Tensor) -> tuple[Tensor, Tensor | None]:
    """Targets (N,), and the classes that they are asked against, if they are."""
    return (asked, None) if asked.ndim == 1 else (asked[:, 0], asked[:, 1])


def asked_logit(logits: Tensor, asked: Tensor) -> Tensor:
    """(N,) the target's logit, minus that of the class that it is asked against.

    >>> asked_logit(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([[0, 2]]))
    tensor([1.])
    """
    if asked.ndim == 1:
        return logits.gather(1, asked[:, None])[:, 0]
    target, other = logits.gather(1, asked).unbind(dim=1)
    return target - other


def against_itself(asked: Tensor) -> list[int]:
    """Numbers of the images whose target is asked against itself."""
    targets, against = apart(asked)
    return [] if against is None else (targets == against).nonzero()[:, 0].tolist()


def check_asked(asked: Tensor, names: Sequence[str], first: int = 0) -> None:
    """Refuses a target that is asked against itself; ``first`` is the number of the first of these images.

    Raises:
        InputError: naming the image.
    """
    same = against_itself(asked)
    if same:
        target = int(asked[same[0], 0])
        named = f" ({names[target]})" if target < len(names) else ""
        raise InputError(
            f"image number {same[0] + first} has class {target}{named} as its target, which cannot be asked against "
            "itself: leave the image out, or choose another class, or second"
        )
