"""A study is a file: TOML with a value for each option of its command.

TOML is read by the standard library and written here: texts, numbers, booleans and lists of these take twenty
lines, and no package that writes TOML would write the comments.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heatproof.errors import InputError
from heatproof.guarded import read_regular

Scalar = bool | int | float | str
Value = Scalar | Sequence[Scalar]
Settings = dict[str, Value]  # what has no value is left out

LARGEST = 2**20  # bytes: room for thousands of pictures
LATER: Settings = {"precision": "float32"}  # options that earlier runs lacked, and what these did
WITHOUT_EFFECT = frozenset({"address", "download", "on", "out", "overwrite", "share", "workers"})

_SHOWN = 80  # characters of a value in a message
# The standard library takes time with the square of a dotted key's length: minutes for 1 MB of a.a.a.a
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_ENDLESS_KEY = re.compile(rf"^[ \t]*+\[?\[?(?:[ \t]*+{_PART}[ \t]*+\.){{50}}", re.MULTILINE)


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds, in bounded time.

    Raises:
        InputError: if there is no such file, if it has more than 1 MB, or is no TOML (with line and column).
    """
    try:
        content = read_regular(path, f"the study file {str(path)!r}", at_most=LARGEST)
    except FileNotFoundError:
        raise InputError(f"there is no study file {str(path)!r}; 'heatproof init {path.name}' writes one") from None
    except OSError as error:
        raise InputError(f"the study file {str(path)!r} cannot be read: {error.strerror}") from error
    return parse_toml(content, str(path))


def parse_toml(content: bytes, name: str) -> dict[str, Any]:
    r"""Parses TOML from bytes; errors name ``name``.

    >>> parse_toml(b'study = "compare"\nsteps = 40', "study.toml")
    {'study': 'compare', 'steps': 40}
    >>> parse_toml(b'study = "compare"\nsteps = x4', "study.toml")
    Traceback (most recent call last):
    heatproof.errors.InputError: 'study.toml' is not TOML: Invalid value (at line 2, column 9)
    """
    try:
        text = content.decode("utf-8-sig")  # editors on Windows put a mark in front
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{name!r} is not TOML: expected text in UTF-8, line {line} is not") from None
    endless = _ENDLESS_KEY.search(text)
    if endless:
        line = text[: endless.start()].count("\n") + 1
        raise InputError(
            f"{name!r} is not a study file: a key with more than 50 parts in line {line}; keys have one part"
        )
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{name!r} is not a study file: its lists or tables lie too deep in one another") from None
    except ValueError as error:  # TOMLDecodeError, and a number with thousands of digits
        raise InputError(f"{name!r} is not TOML: {error}") from None


def to_toml(settings: Mapping[str, Value]) -> str:
    r"""One line ``key = value`` for each setting, which :func:`parse_toml` reads as the same.

    >>> print(to_toml({"study": "compare", "mean": [0.5, 1], "lerf": True, "data": "folder:C:\\photos"}), end="")
    study = "compare"
    mean = [0.5, 1]
    lerf = true
    data = "folder:C:\\photos"

    Raises:
        InputError: for a text that is not Unicode, as the name of a file can be.
    """
    keys = {key: key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else value_to_toml(key) for key in settings}
    return "".join(f"{keys[key]} = {value_to_toml(value)}\n" for key, value in settings.items())


def resolved(settings: Settings) -> str:
    """The text of a study file with all settings, for the run's directory."""
    head = f"# What was run. To run it again: heatproof {settings['study']} study.toml --out ANOTHER\n\n"
    return head + to_toml(settings)


def value_to_toml(value: Value) -> str:
    r"""A value, as TOML writes it.

    >>> value_to_toml(["random", "a \"quoted\" name\n"])
    '["random", "a \\"quoted\\" name\\n"]'
    """
    if isinstance(value, str):  # JSON escapes as TOML does, but for one character
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            raise InputError(f"expected Unicode, got {value!r}; a study file cannot hold it, rename the file") from None
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Sequence):
        return f"[{', '.join(value_to_toml(item) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def differences(old: Mapping[str, Value], new: Mapping[str, Value]) -> list[str]:
    """The keys whose values differ and can change a result, with both values; empty if a run may be continued.

    Where results are written and who computes (``WITHOUT_EFFECT``) cannot change a number. ``memory``, ``engine``,
    ``device`` and ``cores`` can: sizes of batches and windows, and the number of threads, change the rounding of
    scores, and a resumed run gives the same bytes as one that was never stopped.

    >>> differences({"regions": 9, "out": "A", "seed": 0}, {"regions": 16, "out": "B", "seed": 0, "until": "signs"})
    ['regions: 9 then, 16 now', 'until: not set then, "signs" now']
    """
    old, new = LATER | dict(old), LATER | dict(new)
    keys = [key for key in dict.fromkeys([*old, *new]) if key not in WITHOUT_EFFECT]
    return [
        f"{key}: {_shown(old.get(key), new.get(key))} then, {_shown(new.get(key), old.get(key))} now"
        for key in keys
        if old.get(key) != new.get(key)
    ]


def _shown(value: Value | None, other: Value | None) -> str:
    """A value, or what a long list has that the other one lacks."""
    if value is None:
        return "not set"
    text = value_to_toml(value)
    if len(text) <= _SHOWN:
        return text
    if isinstance(value, Sequence) and not isinstance(value, str):
        rest = set(other) if isinstance(other, list) else set()
        own = [item for item in value if item not in rest]
        return f"{len(value)} values" + (f" with {value_to_toml(own[0])[:_SHOWN]}" if own else "")
    return f"{text[:_SHOWN]}…"
