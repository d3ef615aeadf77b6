"""Checks of a published curve: which definition gives the number that was stated?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from heatproof.checks.findings import Checked, Finding, Suite, inapplicable, judged, noted
from heatproof.errors import InputError
from heatproof.measures import aopc

RELATIVE = 0.005  # a stated number is rounded


@dataclass(frozen=True)
class Subject:
    """Scores (N, L + 1), the number that was stated for them, and how far rounding may take it."""

    scores: Tensor
    stated: float | None
    rounding: float

    def agrees(self, number: float) -> bool:
        """Whether a number is the stated one, but for rounding."""
        assert self.stated is not None
        return abs(number - self.stated) <= max(self.rounding, RELATIVE * abs(self.stated))


SUITE: Suite[Subject] = Suite()


def check_curve(scores: ArrayLike | Tensor, stated: float | str | None = None, *, name: str = "curve") -> Checked:
    """Checks a curve and the AOPC that was stated for it.

    Args:
        scores: (L + 1,) mean scores or (N, L + 1) those of each image, with most relevant regions removed first;
            column 0 is the untouched image.
        stated: the AOPC; as a text such as "12.3", its last digit says how it was rounded.
        name: for the table.

    Returns:
        What was found: whether the number follows from the definition of [Samek2017], and otherwise from which one it
        does follow.

    >>> check_curve([10.0, 6.0, 4.0, 2.0], stated="4.5").passed
    True
    >>> (found,) = check_curve([10.0, 6.0, 4.0, 2.0], stated="6.0").failed
    >>> found.seen
    'stated 6, which is: without k = 0, divided by L'
    """
    values = torch.as_tensor(np.asarray(scores, dtype=np.float64))
    values = values[None] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] < 2 or not bool(torch.isfinite(values).all()):
        raise InputError(
            f"scores must be finite, of shape (L + 1,) or (N, L + 1) with L ≥ 1, got shape {tuple(values.shape)}"
        )
    try:
        number = None if stated is None else float(stated)
    except ValueError:
        raise InputError(f"the stated AOPC must be a number, got {stated!r}") from None
    return SUITE.run(name, Subject(values, number, _rounding(stated)))


def _without_first(scores: Tensor) -> Tensor:
    return (scores[:, :1] - scores).sum(dim=1) / (scores.shape[1] - 1)


DEFINITIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "k = 0 … L, divided by L + 1": aopc,
    "without k = 0, divided by L": _without_first,
    "a sum that is not divided": lambda scores: (scores[:, :1] - scores).sum(dim=1),
    "in parts of the first score": lambda scores: aopc(scores) / scores[:, 0],
    "without k = 0, in parts of the first score": lambda scores: _without_first(scores) / scores[:, 0],
    "the mean of the scores (area under the curve)": lambda scores: scores.mean(dim=1),
    "the area under the curve by trapezoids, over L": lambda s: torch.trapezoid(s, dim=1) / (s.shape[1] - 1),
    "the area under the curve by trapezoids": lambda scores: torch.trapezoid(scores, dim=1),
    "trapezoids of the drop, over L": lambda s: torch.trapezoid(s[:, :1] - s, dim=1) / (s.shape[1] - 1),
    "without the untouched image (the curve starts at k = 1)": lambda scores: aopc(scores[:, 1:]),
}


@SUITE.check("definition")
def _definition(subject: Subject) -> Finding:
    """The stated number is the AOPC: the mean drop over k = 0 … L, divided by L + 1."""
    paper = float(aopc(subject.scores).mean())
    if subject.stated is None:
        return noted(f"AOPC {paper:.4g}", "nothing was stated")
    if subject.agrees(paper):
        return judged(True, f"stated {subject.stated:g}, AOPC {paper:.4g}", f"{paper:.4g}")
    return judged(False, f"stated {subject.stated:g}, which is: {_which(subject)}", f"{paper:.4g}")


@SUITE.check("definitions")
def _definitions(subject: Subject) -> Finding:
    """What each definition makes of the curve."""
    found = [f"{name}: {float(value(subject.scores).mean()):.4g}" for name, value in DEFINITIONS.items()]
    return noted("; ".join(found))


@SUITE.check("score")
def _score(subject: Subject) -> Finding:
    """Logits may be anything; scores that all lie in [0, 1] look like probabilities, whose AOPC is another number."""
    low, high = (float(bound) for bound in subject.scores.aminmax())
    looks = "probabilities" if low >= 0 and high <= 1 else "logits (or another score without bounds)"
    return noted(f"{low:.3g} … {high:.3g}: {looks}", "logits, in [Samek2017]")


@SUITE.check("direction")
def _direction(subject: Subject) -> Finding:
    """With the most relevant first the score falls, AOPC is positive, and higher is better."""
    paper = float(aopc(subject.scores).mean())
    if subject.stated is None:
        return noted(f"the curve {'falls' if paper > 0 else 'does not fall'}", "a fall")
    if paper * subject.stated < 0:
        return judged(False, f"stated {subject.stated:g} for an AOPC of {paper:.4g}", "the same sign")
    return judged(True, f"stated {subject.stated:g}, AOPC {paper:.4g}", "the same sign")


@SUITE.check("first score")
def _first(subject: Subject) -> Finding:
    """The curve begins with the untouched image, whose score is usually the highest."""
    if subject.scores.shape[1] < 4:
        return inapplicable("fewer than three steps")
    mean = subject.scores.mean(dim=0)
    drops = (mean[:-1] - mean[1:]).abs()
    highest = bool(mean[0] >= mean.max())
    return noted(
        f"the first score is {'' if highest else 'not '}the highest; first drop {float(drops[0]):.3g}, then "
        f"{float(drops[1]):.3g}",
        "the highest",
    )


def _which(subject: Subject) -> str:
    for sign, words in ((1, ""), (-1, ", with the sign turned")):
        for name, value in DEFINITIONS.items():
            number = float(value(subject.scores).mean())
            if np.isfinite(number) and subject.agrees(sign * number):
                return name + words
    return "none of the definitions that are known here"


def _rounding(stated: float | str | None) -> float:
    """Half of the last digit of a text."""
    if not isinstance(stated, str):
        return 0.0
    digits = stated.lower().partition("e")[0].partition(".")[2]
    return 0.5 * 10.0 ** -len(digits) if "e" not in stated.lower() else 0.0
