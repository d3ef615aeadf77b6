"""Functions that take the options of a class as arguments of their own."""

import inspect
import re
import textwrap
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ForwardRef, ParamSpec, TypeVar

from heatproof.options.option import Declared, Option, declared
from heatproof.registry import unknown

P = ParamSpec("P")
First = TypeVar("First")
Second = TypeVar("Second")
Spec = TypeVar("Spec")
Result = TypeVar("Result")
WIDTH = 110


def takes(
    spec: Callable[P, Spec],
) -> Callable[[Callable[[First, Second, Spec], Result]], Callable[Concatenate[First, Second, P], Result]]:
    """Gives a function the options of a class in the place of its last parameter: in its signature and its docstring.

    >>> from dataclasses import dataclass
    >>> from typing import Annotated
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Size:
    ...     height: Annotated[int, Option("In pixels.")] = 3
    >>> @takes(Size)
    ... def volume(width: int, depth: int, size: Size) -> int:
    ...     return width * depth * size.height
    >>> volume(1, 2), volume(1, 2, height=4)
    (6, 8)
    >>> inspect.signature(volume)
    <Signature (width: int, depth: int, *, height: int = 3) -> int>
    >>> volume(1, 2, hight=4)
    Traceback (most recent call last):
    TypeError: unknown argument of volume() 'hight'; did you mean 'height'? known: height
    """
    options = declared(spec)

    def decorate(function: Callable[[First, Second, Spec], Result]) -> Callable[Concatenate[First, Second, P], Result]:
        plain = inspect.signature(function)
        own = list(plain.parameters.values())[:-1]
        first = [option for option in options if not option.kw_only]
        rest = [option for option in options if option.kw_only]
        signature = plain.replace(parameters=[*own, *map(_parameter, first), *map(_parameter, rest)])

        @wraps(function)
        def called(*args: Any, **given: Any) -> Result:  # noqa: ANN401 - whatever the signature says
            wrong = next((name for name in given if name not in signature.parameters), None)
            if wrong:
                raise TypeError(unknown(f"argument of {function.__name__}()", wrong, [one.field for one in options]))
            try:
                bound = signature.bind(*args, **given).arguments
            except TypeError as error:
                raise TypeError(f"{function.__name__}() {error}") from None
            one, other = (bound.pop(parameter.name) for parameter in own)
            return function(one, other, spec(**bound))  # type: ignore[call-arg]

        called.__signature__ = signature  # type: ignore[attr-defined]
        called.__doc__ = _with_options(function.__doc__ or "", list(plain.parameters)[-1], [*first, *rest])
        return called

    return decorate


def _parameter(one: Declared) -> inspect.Parameter:
    hint = one.hint.__forward_arg__ if isinstance(one.hint, ForwardRef) else one.hint
    kind = inspect.Parameter.KEYWORD_ONLY if one.kw_only else inspect.Parameter.POSITIONAL_OR_KEYWORD
    default = inspect.Parameter.empty if one.needed else one.default
    return inspect.Parameter(one.field, kind, default=default, annotation=hint)


def _with_options(docstring: str, name: str, options: list[Declared]) -> str:
    """The docstring, with a line for each option in the place of that of the parameter ``name``."""
    lines = "\n".join(map(_described, options)).replace("\\", "\\\\")
    return re.sub(rf"^    {name}:.*$", lines, inspect.cleandoc(docstring), flags=re.MULTILINE)


def _described(one: Declared) -> str:
    option = one.option
    meaning = (isinstance(option, Option) and option.python) or option.help
    text = f"{one.field}: {meaning}".replace("\\[", "[")
    lines = textwrap.wrap(text, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return textwrap.indent("\n".join(lines), "    ")
