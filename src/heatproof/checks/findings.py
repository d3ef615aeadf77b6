"""What a check is, what it found, and all of them as a table."""

import warnings
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from torch import Tensor

from heatproof.errors import InputError
from heatproof.registry import unknown
from heatproof.report import Table

S = TypeVar("S")
PASSED, FAILED, NOTED, NOT_APPLICABLE = "passed", "failed", "noted", "not applicable"


@dataclass(frozen=True)
class Finding:
    """Outcome, what was seen, and what was expected."""

    outcome: str
    seen: str
    expected: str = ""


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
        counts = {what: sum(check.outcome == what for check in self.checks) for what in (PASSED, FAILED)}
        note = f"{self.subject}: {counts[PASSED]} passed, {counts[FAILED]} failed, of {len(rows)} checks"
        return Table(("check", "outcome", "seen", "expected"), rows, (note,))

    def describe(self) -> dict[str, Any]:
        """All of it as JSON-able values."""
        return {"subject": self.subject, "passed": self.passed, "checks": [asdict(check) for check in self.checks]}

    def __str__(self) -> str:
        why = [f"{check.name} failed: {check.meaning}" for check in self.failed]
        return "\n".join([str(self.table()), *why])

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


class Suite(Generic[S]):
    """Checks of one kind of subject, in order; the first sentence of a check's docstring says what it means."""

    def __init__(self) -> None:
        self._checks: dict[str, Callable[[S], Finding]] = {}

    def check(self, name: str) -> Callable[[Callable[[S], Finding]], Callable[[S], Finding]]:
        """Decorator that adds a check."""

        def add(function: Callable[[S], Finding]) -> Callable[[S], Finding]:
            self._checks[name] = function
            return function

        return add

    def meanings(self) -> dict[str, str]:
        """What each check means."""
        return {name: (function.__doc__ or "").split("\n\n")[0].strip() for name, function in self._checks.items()}

    def run(self, name: str, subject: S, only: Collection[str] | None = None) -> Checked:
        """Makes all checks, or some; what the subject raises is a failure, and its warnings are not ours to show."""
        for one in only or ():
            if one not in self._checks:
                raise InputError(unknown("check", one, list(self._checks)))
        chosen = {one: function for one, function in self._checks.items() if only is None or one in only}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = {check: _made(function, subject) for check, function in chosen.items()}
        meanings = self.meanings()
        checks = [Check(check, meanings[check], f.outcome, f.seen, f.expected) for check, f in found.items()]
        return Checked(name, tuple(checks))


def judged(passed: bool, seen: str, expected: str) -> Finding:
    """Passed or failed."""
    return Finding(PASSED if passed else FAILED, seen, expected)


def noted(seen: str, expected: str = "") -> Finding:
    """Something worth knowing that cannot be wrong."""
    return Finding(NOTED, seen, expected)


def inapplicable(why: str) -> Finding:
    """The check does not apply."""
    return Finding(NOT_APPLICABLE, why)


def mean_text(values: Tensor) -> str:
    """Mean and standard error of (N,) values."""
    error = float(values.std()) / len(values) ** 0.5
    return f"{float(values.mean()):.3g} ± {error:.2g}"


def _made(function: Callable[[S], Finding], subject: S) -> Finding:
    try:
        return function(subject)
    except Exception as error:
        text = " ".join(str(error).split())
        return Finding(FAILED, f"{type(error).__name__}: {text[:160]}", "no error")
