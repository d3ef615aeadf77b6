"""How an option is declared."""

from collections.abc import Callable
from dataclasses import Field, dataclass, fields
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from heatproof.bounds import Bounds

LARGEST_SHOWN = 10**12  # a bound that nobody meets is checked, and not shown


@dataclass(frozen=True)
class Argument:
    """An argument that only Python takes, such as a tensor; put into its ``Annotated``.

    Args:
        help: what it is, with shapes and units.
    """

    help: str


@dataclass(frozen=True)
class Option:
    """An option of Python functions, of commands, and of study files; put into its ``Annotated``.

    The field that it annotates has its name, type and default.

    Args:
        help: what it is and may be, for commands and study files; for Python too, unless ``python`` says it.
        python: the same for docstrings, where Python takes something else.
        bounds: which numbers it may be; checked wherever they come from.
        name: on the command line and in study files, if that is not the field's.
        short: the letter on the command line, such as ``-n``.
        negative: name of the option that says the opposite of a switch.
        positional: whether it has no name on the command line.
        metavar: what stands for its value in help texts.
        parse: makes its value from a text.
        text: what a study file holds for a parsed value, if not the value itself.
        several: whether commas separate several values, which a file may give as a list.
        path: a pattern whose groups are the paths in its text; a ``Path`` needs none.
        complete: what the shell may complete.
        in_files: whether a study file may hold it.
        shows_default: whether help texts show the default.
        panel: of the help text.
    """

    help: str = ""
    python: str = ""
    bounds: Bounds | None = None
    name: str = ""
    short: str = ""
    negative: str = ""
    positional: bool = False
    metavar: str | None = None
    parse: Callable[[Any], Any] | None = None
    text: Callable[[Any], Any] | None = None
    several: bool = False
    path: str = ""
    complete: Callable[[str], list[str]] | None = None
    in_files: bool = True
    shows_default: bool = True
    panel: str | None = None

    @property
    def low(self) -> float | None:
        """The least number."""
        return self.bounds.low if self.bounds else None

    @property
    def high(self) -> float | None:
        """The largest number, if a user could mean a larger one."""
        return self.bounds.high if self.bounds and self.bounds.high < LARGEST_SHOWN else None

    def check(self, name: str, value: object) -> None:
        """Refuses a number out of bounds.

        Raises:
            TypeError: for what is no number of this kind.
            InputError: for a number that is too small or too large.
        """
        if self.bounds is None or value is None or (self.parse and not isinstance(value, int | float)):
            return
        if isinstance(value, bool) or not isinstance(value, int if self.bounds.whole else int | float):
            raise TypeError(
                f"{name} must be {'a whole number' if self.bounds.whole else 'a number'}, got {value!r:.80}"
            )
        self.bounds.check(name, value)


@dataclass(frozen=True)
class Declared:
    """An option as a field of a class, or as a parameter of a function, declares it.

    Attributes:
        field: its name in Python.
        hint: its type, without what ``Annotated`` adds.
        default: its default; ``...`` if it must be given.
        option: the rest; an ``Argument`` where only Python takes it.
        kw_only: whether Python takes it by name only.
    """

    field: str
    hint: Any
    default: Any
    option: Option | Argument
    kw_only: bool = True

    @property
    def needed(self) -> bool:
        """Whether it must be given."""
        return self.default is ...

    @property
    def name(self) -> str:
        """The option's name on the command line and in study files, without dashes."""
        own = self.option.name if isinstance(self.option, Option) else ""
        return own or self.field.replace("_", "-")


@cache
def declared(group: Any) -> tuple[Declared, ...]:  # noqa: ANN401 - a dataclass
    """The options that the fields of a dataclass declare."""
    found = (_declared(field) for field in fields(group))
    return tuple(one for one in found if one)


def _declared(field: "Field[Any]") -> Declared | None:
    default = ... if field.default is field.default_factory else field.default
    return as_declared(field.name, field.type, default, kw_only=bool(field.kw_only))


def as_declared(name: str, annotation: Any, default: Any, *, kw_only: bool = True) -> Declared | None:  # noqa: ANN401
    """The option that an annotation declares, if it does."""
    hint, *notes = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    option = next((note for note in notes if isinstance(note, Option | Argument)), None)
    return Declared(name, hint, default, option, kw_only) if option else None


def shared_values(options: Any, other: type) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    """The values of options that another dataclass has fields for, by name."""
    return {field.name: getattr(options, field.name) for field in fields(other) if hasattr(options, field.name)}


def without_none(hint: Any) -> Any:  # noqa: ANN401 - a type
    """A type, without that it may be None."""
    if get_origin(hint) in (Union, UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 else hint
    return hint


class Bounded:
    """A group of options, whose numbers are checked when it is made."""

    def __post_init__(self) -> None:
        for one in declared(type(self)):  # type: ignore[arg-type] # mypy takes a class for an instance of it
            if isinstance(one.option, Option):
                one.option.check(one.field, getattr(self, one.field))
