"""The keys of a study file are the options of its command: nothing is declared twice."""

import inspect
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import unquote

from typer.models import OptionInfo, ParameterInfo

from heatproof.errors import InputError
from heatproof.registry import is_whole, split_specs, unknown
from heatproof.runs.study_file import Scalar, Settings, Value, value_to_toml

LOCAL_URL = re.compile(r"(?:file|local)://(.*)", re.DOTALL | re.IGNORECASE)
WHOLE = range(-(2**63), 2**63)  # what TOML promises to hold


@dataclass(frozen=True, kw_only=True)
class InFile:
    """How an option stands in a study file, where its type does not say it; put into the option's ``Annotated``.

    Args:
        key: instead of the option's long name; a positional argument needs one.
        several: whether commas separate several values, which a file may give as a list.
        path: a pattern whose groups are the paths in the text. What is annotated as a ``Path`` needs none.
        absent: whether no file holds it.
    """

    key: str = ""
    several: bool = False
    path: str = ""
    absent: bool = False


@dataclass(frozen=True)
class Key:
    """A key of a study file: an option of a command, or its positional argument.

    Args:
        name: the option's long name, without its dashes.
        parameter: name of the function's parameter.
        kind: type of the value, or of the items of a list.
        listed: whether the command takes a list.
        default: as the command has it; None if there is none.
        needed: whether the command cannot do without it.
        info: the option, as declared.
        note: how it stands in a file.
    """

    name: str
    parameter: str
    kind: Any
    listed: bool
    default: Any
    needed: bool
    info: ParameterInfo
    note: InFile

    @property
    def is_path(self) -> bool:
        """Whether the whole text is a path."""
        return self.kind is Path

    @property
    def parsed(self) -> bool:
        """Whether the option has a way of its own to read a text, such as 224x256 or all."""
        return self.info.parser is not None

    def expected(self) -> str:
        """What the value may be, in words."""
        kinds = {bool: "true or false", int: "a whole number", float: "a number"}
        single = "a text or a number" if self.parsed else kinds.get(self.kind, "a text")
        low, high = self.info.min, self.info.max
        bounds = (f", at least {low:g}" if low is not None else "") + (
            f", at most {high:g}" if high is not None else ""
        )
        if self.listed or self.note.several:
            plural = "numbers" if self.parsed else "texts"
            return f"a list of {plural}, or {'a' if self.listed else 'one'} text" + (" with commas" * self.note.several)
        return single + bounds

    def annotation(self) -> Any:  # noqa: ANN401 - a type for pydantic
        """The type of the value in a file."""
        from pydantic import AfterValidator, Field  # with a file only: it takes as long as all help together

        least = "*" if self.default == "" else "+"  # an empty path would be the folder that the command runs in
        text = Annotated[str, Field(pattern=rf"\A[^\x00]{least}\z")]  # no path and no name holds a NUL
        number = Annotated[float, Field(allow_inf_nan=False)]
        if self.parsed:
            scalar: Any = text | Annotated[int, Field(ge=WHOLE[0], le=WHOLE[-1])] | number
            hint = scalar | list[number] if self.note.several else scalar
        elif self.listed or self.note.several:
            hint = text | list[text]
        elif self.kind is int:
            low, high = self.info.min, self.info.max
            hint = Annotated[int, Field(ge=WHOLE[0] if low is None else low, le=WHOLE[-1] if high is None else high)]
        elif self.kind is float:
            hint = Annotated[float, Field(ge=self.info.min, le=self.info.max, allow_inf_nan=False)]
        else:
            hint = bool if self.kind is bool else text
        return Annotated[hint, AfterValidator(self._parse)] if self.parsed else hint

    def placed(self, value: Value, folder: Path) -> Value:
        """The value with its paths taken from ``folder``."""
        if isinstance(value, str) and self.note.several and not self.parsed:
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
        texts = split_specs(value) if isinstance(value, str) and self.note.several else value
        found = []
        for text in texts if isinstance(texts, list | tuple) else [texts]:
            given = _without_scheme(str(text)) if isinstance(text, str | Path) else text
            span = self._span(given)
            if span:
                found.append(Path(given[slice(*span)]).expanduser())
        return found

    def _span(self, value: Any) -> tuple[int, int] | None:  # noqa: ANN401 - as above
        """Where the path stands in a text, if it holds one and no URL."""
        if not isinstance(value, str) or not (self.is_path or self.note.path):
            return None
        found = re.fullmatch("(.+)" if self.is_path else self.note.path, value, re.DOTALL)
        number = found.lastindex if found else None
        return found.span(number) if found and number and "://" not in found[number] else None

    def argument(self, value: Value) -> Any:  # noqa: ANN401 - whatever the option takes
        """The value, as the command line gives it."""
        if self.listed:
            return value if isinstance(value, list) else [value]
        if isinstance(value, list):
            return ",".join(str(item) for item in value)
        return str(value) if self.parsed else value

    def setting(self, value: Any, raw: Any) -> Value | None:  # noqa: ANN401 - whatever the option held
        """The value as a file would hold it, from what the command got, and from the text that this was read from."""
        if value is None:
            return None
        if self.note.several:
            return list(value) if self.parsed else split_specs(value)
        if self.parsed:
            whole = int(raw) if is_whole(str(raw)) else str(raw)
            return value if isinstance(value, float) else whole  # 8GB is 8.0
        if self.listed:
            return [str(item) for item in value]
        return str(value) if self.is_path else value

    def _parse(self, value: Value) -> Value:
        """The value, if the option's own parser can read it. Files are not opened."""
        if not (self.note.path and isinstance(value, str) and re.fullmatch(self.note.path, value, re.DOTALL)):
            self.info.parser(self.argument(value))  # type: ignore[misc]
        return value


def _without_scheme(text: str) -> str:
    """The path that a URL of this machine names; other texts as they are."""
    found = LOCAL_URL.fullmatch(text)
    return unquote(found[1]) if found else text


def keys_of(command: Callable[..., Any]) -> dict[str, Key]:
    """The keys of a command, by name and in the order of its options.

    >>> import typer
    >>> def count(*, limit: Annotated[int | None, typer.Option("--most", min=1, help="How many.")] = None) -> None: ...
    >>> key = keys_of(count)["most"]
    >>> key.parameter, key.expected()
    ('limit', 'a whole number, at least 1')
    """
    found = (_key(parameter) for parameter in inspect.signature(command).parameters.values())
    return {key.name: key for key in found if key}


def _key(parameter: inspect.Parameter) -> Key | None:
    """The key of one parameter; none for what is no option, such as Typer's context."""
    hint, *notes = get_args(parameter.annotation) if get_origin(parameter.annotation) is Annotated else (None,)
    info = next((note for note in notes if isinstance(note, ParameterInfo)), None)
    if info is None:
        return None
    note = next((note for note in notes if isinstance(note, InFile)), InFile())
    if note.absent:
        return None
    names = getattr(info, "param_decls", None) or ()
    # In an Annotated, Typer takes the first name of an option as its default.
    default_name = info.default if isinstance(info.default, str) and isinstance(info, OptionInfo) else None
    long = next((name for name in (default_name, *names) if name and name.startswith("--")), "")
    name = note.key or long.partition("/")[0].removeprefix("--") or parameter.name.replace("_", "-")
    if get_origin(hint) in (Union, UnionType):
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    listed = get_origin(hint) is list
    needed = parameter.default is parameter.empty
    return Key(
        name=name,
        parameter=parameter.name,
        kind=get_args(hint)[0] if listed else hint,
        listed=listed,
        default=None if needed else parameter.default,
        needed=needed,
        info=info,
        note=note,
    )


def validated(content: Mapping[str, Any], keys: Mapping[str, Key], name: str) -> Settings:
    """What a file holds, if every key is known and every value is of its kind.

    Raises:
        InputError: with one line for each key that is not: what was expected, and what came.
    """
    from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

    fields: dict[str, Any] = {
        f"key_{key.parameter}": (key.annotation() | None, Field(None, alias=key.name)) for key in keys.values()
    }
    model: type[BaseModel] = create_model("Study", __config__=ConfigDict(extra="forbid", strict=True), **fields)
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
    help_text = f" ({keys[key].info.help})" if keys[key].info.help else ""
    reason = error.get("ctx", {}).get("error")
    if isinstance(reason, InputError):
        return f"{key}: {reason}{help_text}"
    return f"{key}: expected {keys[key].expected()}, got {_came(value)}{help_text}"


def _came(value: Any) -> str:  # noqa: ANN401 - whatever TOML holds
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list) and not all(isinstance(item, Scalar) for item in value):
        return "a list of other things than texts and numbers"
    text = value_to_toml(value) if isinstance(value, Scalar | list) else str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
