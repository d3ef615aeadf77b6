"""What a check is, what it found, and all checks of a method, a metric or maps as a table."""

import warnings
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

from torch import Tensor

from heatproof.errors import InputError
from heatproof.registry import Registry, unknown
from heatproof.report import Table

S = TypeVar("S")
PASSED, FAILED, NOTED, NOT_APPLICABLE = "passed", "failed", "noted", "not applicable"


class Finding(NamedTuple):
    """Outcome, what was seen, and what was expected."""

    outcome: str
    seen: str
    expected: str = ""


noted = partial(Finding, NOTED)  # worth knowing, and cannot be wrong
inapplicable = partial(Finding, NOT_APPLICABLE)  # with the reason


@dataclass(frozen=True)
class Check:
    """One check that was made.

    Attributes:
        name: short and unique in its suite.
        meaning: one sentence.
        outcome: "passed", "failed", "noted" (nothing to pass) or "not applicable".
        seen: what was seen, or why the check does not apply.
        expected: what was expected.
    """

    name: str
    meaning: str
    outcome: str
    seen: str
    expected: str


@dataclass(frozen=True)
class Checked:
    """All checks of one subject; it prints as a table.

    Attributes:
        subject: what was checked.
        checks: in the order in which they were made.
    """

    subject: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.outcome == FAILED)

    def outcomes(self) -> dict[str, str]:
        """Outcome of each check by its name."""
        return {check.name: check.outcome for check in self.checks}

    def table(self) -> Table:
        """One row for each check."""
        rows = tuple((check.name, check.outcome, check.seen, check.expected) for check in self.checks)
        passed = sum(check.outcome == PASSED for check in self.checks)
        note = f"{self.subject}: {passed} passed, {len(self.failed)} failed, of {len(rows)} checks"
        return Table(("check", "outcome", "seen", "expected"), rows, (note,))

    def describe(self) -> dict[str, Any]:
        """The findings as JSON-able values."""
        return {"subject": self.subject, "passed": self.passed, "checks": [asdict(check) for check in self.checks]}

    def __str__(self) -> str:
        return "\n".join([str(self.table()), *(f"{check.name} failed: {check.meaning}" for check in self.failed)])

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def run_checks(
    checks: Registry[Callable[[S], Finding]], name: str, subject: S, only: Collection[str] | None = None
) -> Checked:
    """Makes all checks, or some, in order; a check means what the first paragraph of its docstring says.

    What the subject raises is a failure, and its warnings are not shown.
    """
    for check in only or ():
        if check not in checks:
            raise InputError(unknown("check", check, list(checks)))
    made = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for check, function in checks.items():
            if only is None or check in only:
                meaning = (function.__doc__ or "").split("\n\n")[0].strip()
                made.append(Check(check, meaning, *_made(function, subject)))
    return Checked(name, tuple(made))


def judged(passed: bool, seen: str, expected: str) -> Finding:
    """Passed or failed."""
    return Finding(PASSED if passed else FAILED, seen, expected)


def mean_text(values: Tensor) -> str:
    """Mean and standard error of (N,) values."""
    return f"{float(values.mean()):.3g} ± {float(values.std()) / len(values) ** 0.5:.2g}"


def _made(function: Callable[[S], Finding], subject: S) -> Finding:
    try:
        return function(subject)
    except Exception as error:
        text = " ".join(str(error).split())
        return Finding(FAILED, f"{type(error).__name__}: {text[:160]}", "no error")
