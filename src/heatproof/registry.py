"""Things that users call by name, with options in brackets: ``lrp-alphabeta[alpha=1,beta=0]``."""

import difflib
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from heatproof.errors import InputError

Option = int | float | str
F = TypeVar("F", bound=Callable[..., Any])


class Registry(Mapping[str, F], Generic[F]):
    """Functions by name; keyword-only arguments with a default are the options that a user may set.

    >>> shapes = Registry("shape")
    >>> @shapes.register("square")
    ... def square(size, *, grow=1):
    ...     return size * size * grow
    >>> shapes.resolve("square[grow=2]")(3)
    18
    >>> shapes.resolve("sqare")
    Traceback (most recent call last):
    heatproof.errors.InputError: unknown shape 'sqare'; did you mean 'square'? known: square
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._functions: dict[str, F] = {}

    def register(self, name: str) -> Callable[[F], F]:
        """Decorator that makes a function known under ``name``."""

        def add(function: F) -> F:
            assert name not in self._functions, f"{self.kind} {name!r} is registered twice"
            self._functions[name] = function
            return function

        return add

    def resolve(self, spec: str) -> Callable[..., Any]:
        """The function that ``spec`` names, with the options of its brackets set.

        Raises:
            InputError: for an unknown name, an unknown option, or brackets that cannot be read.
        """
        name, options = parse_spec(spec)
        function = self._functions.get(name)
        if function is None:
            raise InputError(unknown(self.kind, name, sorted(self)))
        known = options_of(function)
        for option in options:
            if option not in known:
                raise InputError(unknown(f"option of {self.kind} {name!r}:", option, sorted(known)))
            _check_type(f"option of {self.kind} {name!r}: {option}", options[option], known[option])
        return partial(function, **options) if options else function

    def __getitem__(self, name: str) -> F:
        return self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)


def options_of(function: Callable[..., Any]) -> dict[str, Option]:
    """Options of a registered function with their defaults."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}


def parse_spec(spec: str) -> tuple[str, dict[str, Option]]:
    """Splits ``name[key=value,…]``.

    >>> parse_spec("lrp-alphabeta[alpha=1,bias=exclude]")
    ('lrp-alphabeta', {'alpha': 1, 'bias': 'exclude'})
    """
    name, bracket, rest = spec.strip().partition("[")
    if not bracket:
        return name, {}
    pairs = [pair.partition("=") for pair in rest.removesuffix("]").split(",")]
    if not rest.endswith("]") or not all(key.strip() and value.strip() for key, _, value in pairs):
        raise InputError(f"cannot read {spec!r}; options are written name[key=value,key=value]")
    options = {key.strip(): _literal(value.strip()) for key, _, value in pairs}
    if len(options) < len(pairs):
        raise InputError(f"an option stands twice in {spec!r}: {', '.join(key.strip() for key, _, _ in pairs)}")
    return name, options


def split_specs(text: str) -> list[str]:
    """Splits a comma-separated list of specs, leaving commas inside brackets alone.

    >>> split_specs("random, lrp-alphabeta[alpha=1,beta=0]")
    ['random', 'lrp-alphabeta[alpha=1,beta=0]']
    """
    pieces = [""]
    depth = 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece.strip() for piece in pieces if piece.strip()]


def is_whole(text: str) -> bool:
    """Whether a text is a whole number that anybody means: up to nine digits, for Python refuses thousands of them.

    >>> is_whole("227"), is_whole("-1"), is_whole("9" * 5000)
    (True, False, False)
    """
    return text.isascii() and text.isdecimal() and len(text) <= 9


def unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Message for a name that is not known: the nearest known name, and all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    suggestion = f" did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {name!r};{suggestion} known: {', '.join(known) or 'none'}"


def _check_type(what: str, value: Option, default: Option) -> None:
    """An option must be of its default's kind: text, a whole number, or any number."""
    kinds: tuple[tuple[type, ...], str] = (
        ((str,), "text") if isinstance(default, str)
        else ((int,), "a whole number") if isinstance(default, int)
        else ((int, float), "a finite number")
    )  # fmt: skip
    if not isinstance(value, kinds[0]) or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"{what} must be {kinds[1]}, got {value!r}")


def _literal(text: str) -> Option:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
