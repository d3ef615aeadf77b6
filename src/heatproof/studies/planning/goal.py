"""What a design is to reach: an interval, or as much as a budget allows."""

import math
import re
from dataclasses import dataclass

from heatproof.errors import InputError
from heatproof.report import counted, duration

SECONDS = {"s": 1, "min": 60, "h": 3600}
NUMBER = r"((?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?)"


@dataclass(frozen=True)
class Goal:
    """One of three things; the other two are none.

    Attributes:
        half_width: of the 95 % interval, in the score's unit, or as a share of the random order's AOPC.
        relative: whether it is such a share.
        evaluations: of the network, at most; those for heatmaps do not count.
        seconds: for the whole comparison, at most.
    """

    half_width: float | None = None
    relative: bool = False
    evaluations: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, half_width: float | str | None, budget: int | str | None) -> "Goal | None":
        """The goal that a user asked for; none without a half width or a budget.

        >>> Goal.of("5%", None)
        Goal(half_width=0.05, relative=True, evaluations=None, seconds=None)
        >>> print(Goal.of(None, "10min"))
        at most 10 min
        """
        if half_width is None and budget is None:
            return None
        if half_width is not None and budget is not None:
            raise InputError(
                "give a half width or a budget, not both: one asks for the cheapest design, the other for the best"
            )
        return _of_width(str(half_width)) if budget is None else _budget(str(budget))

    def in_unit(self, reference: float) -> float | None:
        """The half width in the score's unit, where the random order's AOPC is ``reference``; none for a budget."""
        if self.half_width is None or not self.relative:
            return self.half_width
        if not reference > 0:
            raise InputError(
                f"the random order's AOPC is {reference:.3g} on the pilot's images, so a share of it is no width; "
                "give one in the score's unit, such as 0.25"
            )
        return self.half_width * reference

    def __str__(self) -> str:
        if self.half_width is not None:
            share = (
                f"{100 * self.half_width:.3g} % of the random order's AOPC" if self.relative else f"{self.half_width:g}"
            )
            return f"a 95 % interval of ± {share}"
        if self.evaluations is not None:
            return f"at most {counted(self.evaluations, 'evaluation')}"
        return f"at most {duration(self.seconds or 0.0)}"


def _of_width(text: str) -> Goal:
    match = re.fullmatch(rf"\s*{NUMBER}\s*(%?)\s*", text)
    number = float(match[1]) if match else 0.0
    if not (match and 0 < number < math.inf):
        raise InputError(
            "half-width must be half an interval's width, above 0: in the score's unit, such as 0.25, or as a "
            f"share of the random order's AOPC, such as 5%; got {text!r}"
        )
    return Goal(half_width=number / 100 if match[2] else number, relative=bool(match[2]))


def _budget(text: str) -> Goal:
    match = re.fullmatch(rf"\s*{NUMBER}\s*(s|min|h|)\s*", text)
    number = float(match[1]) if match else 0.0
    if not (match and 0 < number < math.inf) or (not match[2] and number != int(number)):
        raise InputError(
            "budget must be a number of evaluations, such as 20000, or a time with its unit, such as 90s, 10min or 2h; "
            f"got {text!r}"
        )
    return Goal(seconds=number * SECONDS[match[2]]) if match[2] else Goal(evaluations=int(number))
