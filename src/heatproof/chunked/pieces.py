"""What the pieces of a Zarr array's metadata may be: names, sizes, types and fill values."""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from heatproof.errors import InputError

TEXT = np.dtype(object)  # of texts of any length
MOST_AXES = 8
LONGEST = 2**40  # of an axis
LONGEST_TEXT = 2**14  # bytes of a text of fixed length
NUMBERS = {name: np.dtype(name) for name in ("bool", "float16", "float32", "float64")} | {
    f"{sign}int{bits}": np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)
}
OLD_NUMBER = re.compile(r"[<>|=]?(?:b1|[iu][1248]|f[248])")
OLD_TEXT = re.compile(r"[<>|=]?([US])([0-9]{1,5})")


def optional(value: object) -> bool:
    """Whether a reader may leave out what it does not know."""
    return isinstance(value, Mapping) and value.get("must_understand") is False


def named(value: object) -> tuple[str, Mapping[str, Any]]:
    """A name and its configuration, which format 3 writes in two ways."""
    if isinstance(value, str):
        return value, {}
    if not isinstance(value, Mapping) or not isinstance(value["name"], str):
        raise TypeError(f"expected a name, got {value!r:.80}")
    settings = value.get("configuration") or {}
    if not isinstance(settings, Mapping):
        raise TypeError(f"expected a configuration, got {settings!r:.80}")
    return value["name"], settings


def sizes(values: object, least: int) -> tuple[int, ...]:
    """Numbers of at least so much, one for each axis."""
    if not isinstance(values, list) or len(values) > MOST_AXES:
        raise ValueError(f"expected at most {MOST_AXES} sizes, got {values!r:.80}")
    if not all(isinstance(one, int) and not isinstance(one, bool) and least <= one <= LONGEST for one in values):
        raise ValueError(f"expected sizes of at least {least}, got {values!r:.80}")
    return tuple(values)


def separator_of(value: object) -> str:
    """What stands between the numbers in a chunk's name."""
    if value not in ("/", "."):
        raise ValueError(f"expected the separator / or ., got {value!r:.40}")
    return str(value)


def type_of(value: object, path: str) -> np.dtype[Any]:
    """The type of an array of format 3."""
    name, settings = named(value)
    if name in NUMBERS:
        return NUMBERS[name]
    if name in ("string", "variable_length_utf8"):
        return TEXT
    size = settings.get("length_bytes")
    if name == "fixed_length_utf32" and isinstance(size, int) and 0 < size <= LONGEST_TEXT and size % 4 == 0:
        return np.dtype(f"<U{size // 4}")
    raise InputError(f"{path!r} holds {name!r:.80}; expected numbers of at most 64 bits, or texts")


def old_type_of(value: object, filters: list[Any], path: str) -> np.dtype[Any]:
    """The type of an array of format 2; takes the filter of texts away."""
    if isinstance(value, str):
        if OLD_NUMBER.fullmatch(value):
            return np.dtype(value)
        text = OLD_TEXT.fullmatch(value)
        if (text or value == "|O") and filters and filters[0].get("id") == "vlen-utf8":  # 3.0 writes <U so, too
            del filters[0]
            return TEXT
        if text and 0 < int(text[2]) <= LONGEST_TEXT // 4:
            return np.dtype(value)
    raise InputError(f"{path!r} holds {value!r:.80}; expected numbers of at most 64 bits, or texts")


def fill_of(value: object, dtype: np.dtype[Any]) -> Any:  # noqa: ANN401 - a number or a text
    """The value of a chunk that is not there."""
    if dtype.kind in "OUS":
        return "" if value in (None, 0) else _of(str, value)
    if value is None:
        return 0
    if isinstance(value, str) and dtype.kind == "f":
        special = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
        if value in special:
            return special[value]
        return np.frombuffer(bytes.fromhex(value.removeprefix("0x")), dtype.newbyteorder(">"))[0]
    return np.array(_of((bool, int, float), value), dtype)[()]


def _of(kind: Any, value: object) -> Any:  # noqa: ANN401
    if not isinstance(value, kind):
        raise TypeError(f"expected a fill value, got {value!r:.80}")
    return value
