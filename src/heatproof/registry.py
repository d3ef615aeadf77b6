"""Things that users call by name, with options in brackets: ``lrp-alphabeta[alpha=1,beta=0]``."""

import difflib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from itertools import product
from math import prod
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from heatproof.bounds import ANY, Bounds
from heatproof.errors import InputError

Option = int | float | str
ALTERNATIVE = "|"  # between the values of an option that compete
MOST_VARIANTS = 32
F = TypeVar("F", bound=Callable[..., Any])


class Registry(dict[str, F]):
    """Functions by name; keyword-only arguments with a default are the options that a user may set.

    What an option may be stands in its annotation: ``Annotated[float, Bounds(0.1, 10.0)]``, or ``Literal["a", "b"]``.

    >>> shapes = Registry("shape")
    >>> @shapes.register("square")
    ... def square(size, *, grow: Annotated[int, Bounds(1, 9)] = 1):
    ...     return size * size * grow
    >>> shapes.resolve("square[grow=2]")(3)
    18
    >>> shapes.resolve("square[grow=0]")
    Traceback (most recent call last):
    heatproof.errors.InputError: option of shape 'square': grow must be a whole number from 1 to 9, got 0
    >>> shapes.resolve("sqare")
    Traceback (most recent call last):
    heatproof.errors.InputError: unknown shape 'sqare'; did you mean 'square'? known: square
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def register(self, name: str) -> Callable[[F], F]:
        """Decorator that makes a function known under ``name``."""

        def add(function: F) -> F:
            assert name not in self, f"{self.kind} {name!r} is registered twice"
            self[name] = function
            return function

        return add

    def resolve(self, spec: str) -> Callable[..., Any]:
        """The function that ``spec`` names, with the options of its brackets set.

        Raises:
            InputError: for an unknown name, an unknown option or one out of bounds, or brackets that cannot be read.
        """
        name, options = parse_spec(spec)
        function = self.get(name)
        if function is None:
            raise InputError(unknown(self.kind, name, sorted(self)))
        known, hints = options_of(function), hints_of(function)
        for option in options:
            if option not in known:
                raise InputError(unknown(f"option of {self.kind} {name!r}:", option, sorted(known)))
            _check(f"option of {self.kind} {name!r}: {option}", options[option], known[option], hints[option])
        return partial(function, **options) if options else function

    def meaning(self, spec: str) -> tuple[object, ...]:
        """Name and all options, so that two spellings of the same are equal.

        >>> scores = Registry("score")
        >>> @scores.register("share")
        ... def share(logits, *, of: float = 1.0): ...
        >>> scores.meaning("share") == scores.meaning(" share[of=1]")
        True
        """
        name, options = parse_spec(spec)
        defaults = options_of(self[name]) if name in self else {}
        return name, *sorted((defaults | options).items())


def import_modules(package: str) -> None:
    """Imports every module of a package, but no package inside it, so that all that they register is known.

    >>> import_modules("heatproof.data.layouts")
    >>> "heatproof.data.layouts.cifar" in sys.modules
    True
    """
    for module in pkgutil.iter_modules(sys.modules[package].__path__, f"{package}."):
        if not module.ispkg:
            import_module(module.name)


def options_of(function: Callable[..., Any]) -> dict[str, Option]:
    """Options of a registered function with their defaults."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations of the options of a registered function."""
    parameters = inspect.signature(function).parameters
    return {option: parameters[option].annotation for option in options_of(function)}


def bounds_in(hint: object) -> Bounds | None:
    """The bounds that an annotation declares, if any."""
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((note for note in notes if isinstance(note, Bounds)), None)


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
    if ALTERNATIVE in rest:
        raise InputError(
            f"expected one value for each option, got alternatives in {spec!r}; only methods of a comparison may have "
            "several, which then compete"
        )
    options = {key.strip(): _literal(value.strip()) for key, _, value in pairs}
    if len(options) < len(pairs):
        raise InputError(f"expected each option once in {spec!r}, got {', '.join(key.strip() for key, _, _ in pairs)}")
    return name, options


def variants_of(spec: str) -> list[str]:
    """The specs that one with alternatives means, in order; one without means itself.

    Raises:
        InputError: for more than 32 of them, or an alternative that is empty.

    >>> variants_of("negated:lrp-alphabeta[alpha=1|2,bias=exclude]")
    ['negated:lrp-alphabeta[alpha=1,bias=exclude]', 'negated:lrp-alphabeta[alpha=2,bias=exclude]']
    """
    pieces = [
        [f"{key}={value.strip()}" for value in values.split(ALTERNATIVE)] if ALTERNATIVE in values else [piece]
        for piece in re.split(r"([\[\],])", spec)
        for key, _, values in [piece.partition("=")]
    ]
    if any(one.endswith("=") for piece in pieces if len(piece) > 1 for one in piece):
        raise InputError(f"expected values with single {ALTERNATIVE} between them, got an empty one in {spec!r:.80}")
    count = prod(map(len, pieces))
    if count > MOST_VARIANTS:
        raise InputError(f"{spec!r:.80} has {count} variants; at most {MOST_VARIANTS} can compete: give fewer values")
    return list(map("".join, product(*pieces)))


def split_specs(text: str) -> list[str]:
    """Splits a comma-separated list of specs, leaving commas inside brackets alone.

    Raises:
        InputError: for an empty name among others.

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
    names = [piece.strip() for piece in pieces]
    if len(names) > 1 and not all(names):
        raise InputError(f"expected names with single commas between them, got an empty one in {text!r:.80}")
    return [name for name in names if name]


def is_whole(text: str) -> bool:
    """Whether a text is a plausible whole number: up to nine digits, for Python refuses thousands of them.

    >>> is_whole("227"), is_whole("-1"), is_whole("9" * 5000)
    (True, False, False)
    """
    return text.isascii() and text.isdecimal() and len(text) <= 9


def unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Message for a name that is not known: the nearest known name, and all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    suggestion = f" did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {name!r};{suggestion} known: {', '.join(known) or 'none'}"


def _check(what: str, value: Option, default: Option, hint: object) -> None:
    """An option must be of its default's kind (text, a whole number, or any number), and as its annotation says."""
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    if isinstance(default, str):
        if not isinstance(value, str):
            raise InputError(f"{what} must be text, got {value!r}")
        if choices and value not in choices:
            raise InputError(f"{what} must be {' or '.join(map(repr, choices))}, got {value!r:.80}")
        return
    if not isinstance(value, int if isinstance(default, int) else int | float):
        raise InputError(
            f"{what} must be {'a whole number' if isinstance(default, int) else 'a number'}, got {value!r:.80}"
        )
    (bounds_in(hint) or ANY).check(what, value)


def _literal(text: str) -> Option:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
