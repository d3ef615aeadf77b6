"""Options of commands: as Typer wants them, and as the keys of study files. Nothing is declared twice."""

import inspect
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import unquote

import typer

from heatproof.errors import InputError
from heatproof.options.option import Declared, Option, as_declared, declared, without_none
from heatproof.registry import is_whole, split_specs, unknown
from heatproof.runs.study_file import Scalar, Settings, Value, value_to_toml

LOCAL_URL = re.compile(r"(?:file|local)://(.*)", re.DOTALL | re.IGNORECASE)
WHOLE = range(-(2**63), 2**63)  # what TOML promises to hold
PLAIN = (bool, int, float, Path)


@dataclass(frozen=True)
class Key:
    """An option of a command, or its positional argument; most are keys of its study files.

    Attributes:
        declared: its name, type and default in Python.
        option: the rest of its declaration.
    """

    declared: Declared
    option: Option

    @property
    def name(self) -> str:
        """The option's long name, without its dashes."""
        return self.declared.name

    @property
    def listed(self) -> bool:
        """Whether the command takes it again and again."""
        return get_origin(without_none(self.declared.hint)) is list

    @property
    def kind(self) -> type:
        """Type of the value, or of the items of a list; text where Python takes several types."""
        hint = without_none(self.declared.hint)
        hint = get_args(hint)[0] if self.listed else hint
        return hint if hint in PLAIN else str

    @property
    def default(self) -> Any:  # noqa: ANN401 - whatever the option holds
        """The default as the command line would give it; None if there is none."""
        default = None if self.declared.needed else self.declared.default
        if self.option.text and default is not None:
            return self.option.text(default)
        return ",".join(default) if self.option.several and isinstance(default, tuple) else default

    @property
    def is_path(self) -> bool:
        """Whether the whole text is a path."""
        return self.kind is Path

    def annotation(self) -> Any:  # noqa: ANN401 - a type for pydantic
        """The type of the value in a file."""
        from pydantic import AfterValidator, Field  # with a file only: it takes as long as all help together

        least = "*" if self.default == "" else "+"  # an empty path would be the folder that the command runs in
        text = Annotated[str, Field(pattern=rf"\A[^\x00]{least}\z")]  # no path and no name holds a NUL
        number = Annotated[float, Field(allow_inf_nan=False)]
        low, high = self.option.low, self.option.high
        if self.option.parse:
            scalar: Any = text | Annotated[int, Field(ge=WHOLE[0], le=WHOLE[-1])] | number
            hint = scalar | list[number] if self.option.several else scalar
        elif self.listed or self.option.several:
            hint = text | list[text]
        elif self.kind is int:
            hint = Annotated[int, Field(ge=WHOLE[0] if low is None else low, le=WHOLE[-1] if high is None else high)]
        elif self.kind is float:
            hint = Annotated[float, Field(ge=low, le=high, allow_inf_nan=False)]
        else:
            hint = bool if self.kind is bool else text
        return Annotated[hint, AfterValidator(self._parse)] if self.option.parse else hint

    def placed(self, value: Value, folder: Path) -> Value:
        """The value with its paths taken from ``folder``."""
        if isinstance(value, str) and self.option.several and not self.option.parse:
            return ",".join(str(self._placed(item, folder)) for item in split_specs(value))
        if isinstance(value, list):
            return [self._placed(item, folder) for item in value]
        return self._placed(value, folder) if isinstance(value, str) else value

    def _placed(self, value: Scalar, folder: Path) -> Scalar:
        span = self._span(value)
        if not isinstance(value, str) or span is None:
            return value
        start, end = span
        return f"{value[:start]}{folder / os.path.expanduser(value[start:end])}{value[end:]}"  # noqa: PTH111 - never raises

    def paths(self, value: Any) -> list[Path]:  # noqa: ANN401 - whatever the option held
        """The paths in what the command got."""
        texts = split_specs(value) if isinstance(value, str) and self.option.several else value
        found = []
        for text in texts if isinstance(texts, list | tuple) else [texts]:
            given = _without_scheme(str(text)) if isinstance(text, str | Path) else text
            span = self._span(given)
            if span:
                found.append(Path(given[slice(*span)]).expanduser())
        return found

    def _span(self, value: Any) -> tuple[int, int] | None:  # noqa: ANN401 - as above
        """Where the path stands in a text, if it holds one and no URL."""
        if not isinstance(value, str) or not (self.is_path or self.option.path):
            return None
        found = re.fullmatch("(.+)" if self.is_path else self.option.path, value, re.DOTALL)
        number = found.lastindex if found else None
        return found.span(number) if found and number and "://" not in found[number] else None

    def argument(self, value: Value) -> Any:  # noqa: ANN401 - whatever the option takes
        """The value, as the command line gives it."""
        if self.listed:
            return value if isinstance(value, list) else [value]
        if isinstance(value, list):
            return ",".join(str(item) for item in value)
        return str(value) if self.option.parse else value

    def setting(self, value: Any, raw: Any) -> Value | None:  # noqa: ANN401 - whatever the option held
        """The value as a file would hold it, from what the command got, and from the text that this was read from."""
        if value is None:
            return None
        if self.option.text:
            return self.option.text(value)  # type: ignore[no-any-return]
        if self.option.several:
            return split_specs(value) if isinstance(value, str) else list(value)
        if self.option.parse:
            return int(raw) if is_whole(str(raw)) else str(raw)
        if self.listed:
            return [str(item) for item in value]
        return str(value) if self.is_path else value

    def given(self, value: Any) -> Any:  # noqa: ANN401 - whatever the option held
        """The value as Python takes it, from what Typer has."""
        several = self.option.several and not self.option.parse
        return tuple(split_specs(value)) if several and isinstance(value, str) else value

    def parameter(self) -> inspect.Parameter:
        """The parameter that Typer reads the option from."""
        option, kind = self.option, Any if self.option.parse else list[self.kind] if self.listed else self.kind  # type: ignore[name-defined]
        shown: dict[str, Any] = {
            "help": option.help,
            "metavar": option.metavar,
            "parser": option.parse,
            "autocompletion": option.complete,
            "show_default": option.shows_default,
            "rich_help_panel": option.panel,
        }
        if not option.parse:
            shown |= {"min": option.low, "max": option.high}
        names = [f"--{self.name}" + (f"/--{option.negative}" if option.negative else "")]
        info = (
            typer.Argument(**shown)
            if option.positional
            else typer.Option(*names, *filter(None, [option.short]), **shown)
        )
        return inspect.Parameter(
            self.declared.field,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if self.declared.needed else self.default,
            annotation=Annotated[kind if self.declared.needed or self.default is not None else kind | None, info],
        )

    def _parse(self, value: Value) -> Value:
        """The value, if the option's own parser can read it. Files are not opened."""
        if not (self.option.path and isinstance(value, str) and re.fullmatch(self.option.path, value, re.DOTALL)):
            self.option.parse(self.argument(value))  # type: ignore[misc]
        return value


def _without_scheme(text: str) -> str:
    """The path that a URL of this machine names; other texts as they are."""
    found = LOCAL_URL.fullmatch(text)
    return unquote(found[1]) if found else text


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command with its options as Typer reads them: those of its dataclasses, and those that it declares itself.

    An option of several groups has the declaration of the first, and all of them get its value.

    >>> @dataclass(frozen=True)
    ... class Size:
    ...     height: Annotated[int, Option("In pixels.")] = 3
    >>> def area(size: Size, *, unit: Annotated[str, Option("Of the sides.")] = "pixels") -> None:
    ...     print(size.height**2, unit)
    >>> spread(area)(height=4, unit="mm")
    16 mm
    >>> list(keys_of(spread(area)))
    ['height', 'unit']
    """
    signature = inspect.signature(command)
    groups: dict[str, Any] = {
        name: p.annotation for name, p in signature.parameters.items() if is_dataclass(p.annotation)
    }
    found: dict[str, Key] = {}
    parameters: list[inspect.Parameter] = []
    for name, p in signature.parameters.items():
        default = ... if p.default is p.empty else p.default
        own = as_declared(name, p.annotation, default) if name not in groups else None
        here = declared(groups[name]) if name in groups else [own] if own else []
        if name not in groups and not own:
            parameters.append(p.replace(kind=p.KEYWORD_ONLY))
        for one in here:
            if isinstance(one.option, Option) and one.field not in found:
                found[one.field] = Key(one, one.option)
                parameters.append(found[one.field].parameter())

    @wraps(command)
    def called(**given: Any) -> None:  # noqa: ANN401 - whatever the options hold
        command(**arguments(given))

    def arguments(given: Mapping[str, Any]) -> dict[str, Any]:
        values = {name: found[name].given(value) if name in found else value for name, value in given.items()}
        for name, group in groups.items():
            values[name] = group(**{one.name: values[one.name] for one in fields(group) if one.name in values})
        return {name: values.get(name) for name in signature.parameters}

    called.arguments = arguments  # type: ignore[attr-defined]
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.keys = {key.name: key for key in found.values()}  # type: ignore[attr-defined]
    return called


def keys_of(command: Any) -> dict[str, Key]:  # noqa: ANN401 - a function with an attribute
    """The options of a command by name, in their order."""
    return dict(command.keys)


def arguments_of(command: Any, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - as above
    """The arguments of a command as it was written, from what Typer has."""
    return dict(command.arguments(given))


def expected(key: Key) -> str:
    """What the value may be, in words."""
    kinds = {bool: "true or false", int: "a whole number", float: "a number"}
    single = "a text or a number" if key.option.parse else kinds.get(key.kind, "a text")
    low, high = (None, None) if key.option.parse else (key.option.low, key.option.high)
    bounds = (f", at least {low:g}" if low is not None else "") + (f", at most {high:g}" if high is not None else "")
    if key.listed or key.option.several:
        plural = "numbers" if key.option.parse else "texts"
        several = " with commas" * key.option.several
        return f"a list of {plural}, or {'a' if key.listed else 'one'} text{several}"
    return single + bounds


def validated(content: Mapping[str, Any], keys: Mapping[str, Key], name: str) -> Settings:
    """What a file holds, if every key is known and every value is of its kind.

    Raises:
        InputError: with one line for each key that is not: what was expected, and what came.
    """
    from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

    types: dict[str, Any] = {
        f"key_{key.declared.field}": (key.annotation() | None, Field(None, alias=key.name)) for key in keys.values()
    }
    model: type[BaseModel] = create_model("Study", __config__=ConfigDict(extra="forbid", strict=True), **types)
    try:
        model.model_validate(content)
    except ValidationError as error:
        wrong = {str(found["loc"][0]): found for found in reversed(error.errors())}
        lines = [_wrong(key, content[key], keys, wrong[key]) for key in content if key in wrong]
        raise InputError("\n".join(f"{name}: {line}" for line in lines)) from None
    return dict(content)


def _wrong(key: str, value: Any, keys: Mapping[str, Key], error: Mapping[str, Any]) -> str:  # noqa: ANN401
    if key not in keys and isinstance(value, dict):
        return f"unknown section {key!r}; a study file has keys only, no sections"
    if key == "overwrite":
        return "overwrite: no file may ask for that; give --overwrite on the command line"
    if key not in keys:
        return unknown("key", key, list(keys))
    help_text = f" ({keys[key].option.help})" if keys[key].option.help else ""
    reason = error.get("ctx", {}).get("error")
    if isinstance(reason, InputError):
        return f"{key}: {reason}{help_text}"
    return f"{key}: expected {expected(keys[key])}, got {_came(value)}{help_text}"


def _came(value: Any) -> str:  # noqa: ANN401 - whatever TOML holds
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list) and not all(isinstance(item, Scalar) for item in value):
        return "a list of other things than texts and numbers"
    text = value_to_toml(value) if isinstance(value, Scalar | list) else str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
