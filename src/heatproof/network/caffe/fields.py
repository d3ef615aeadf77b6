"""What a message says, field by field; what nobody asked for is an error, as it is in Caffe."""

import math
from collections.abc import Callable
from typing import TypeVar

from heatproof.errors import InputError
from heatproof.network.caffe.text import Message, Value, Word
from heatproof.registry import unknown

LARGEST = 2**31 - 1
T = TypeVar("T")
Kind = Callable[[Value], T]  # of a field's values; ValueError with what was expected


def whole(least: int = 0) -> Kind[int]:
    """Whole numbers from ``least`` on."""

    def read(value: Value) -> int:
        if not isinstance(value, int) or not least <= value <= LARGEST:
            raise ValueError(f"a whole number from {least} on")
        return value

    return read


def number(value: Value) -> float:
    """A finite number."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a finite number")
    return float(value)


def text(value: Value) -> str:
    """A text in quotes (or a word, as old files have them)."""
    if not isinstance(value, str):
        raise ValueError("a text in quotes")
    return value


def choice(*words: str) -> Kind[str]:
    """One of several words, or its number, counted from 0."""

    def read(value: Value) -> str:
        if isinstance(value, Word) and value in words:
            return str(value)
        if isinstance(value, int) and 0 <= value < len(words):
            return words[value]
        raise ValueError(f"one of {', '.join(words)}")

    return read


def message(value: Value) -> Message:
    """A message."""
    if not isinstance(value, Message):
        raise ValueError("a message in brackets")
    return value


class Fields:
    """The fields of a message.

    Args:
        message: as it was read.
        place: what error messages begin with, such as ``layer 'conv1' (Convolution)``.
        inside: the field that holds the message, such as ``convolution_param``.
    """

    def __init__(self, message: Message, place: str, inside: str = "") -> None:
        self.place = place
        self._message = message
        self._prefix = f"{inside}." if inside else ""
        self._asked: set[str] = set()
        self._parts: list[Fields] = []

    def rename(self, place: str) -> None:
        """Says another place from now on, without the field that holds the message."""
        self.place, self._prefix = place, ""

    def error(self, text: str) -> InputError:
        """An error that says where."""
        return InputError(f"{self.place}: {text}")

    def all(self, name: str, kind: Kind[T]) -> list[T]:
        """The values of a field; none where it is missing."""
        self._asked.add(name)
        found = []
        for value in self._message.fields.get(name, []):
            try:
                found.append(kind(value))
            except ValueError as error:
                shown = "a message" if isinstance(value, Message) else repr(value)[:60]
                raise self.error(f"{self._prefix}{name} must be {error}, got {shown}") from None
        return found

    def one(self, name: str, kind: Kind[T], default: T | None = None) -> T:
        """The value of a field; without a default it must be there. Of several, protocol buffers take the last."""
        found = [*([] if default is None else [default]), *self.all(name, kind)]
        if not found:
            raise self.error(f"{self._prefix}{name} is missing")
        return found[-1]

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        return self.one(name, choice("false", "true"), str(default).lower()) == "true"

    def parts(self, name: str) -> list["Fields"]:
        """The messages in a field."""
        found = [Fields(part, self.place, f"{self._prefix}{name}") for part in self.all(name, message)]
        self._parts += found
        return found

    def part(self, name: str, *ignored: str) -> "Fields":
        """The message in a field, of which some fields make no difference; a later one adds to an earlier one."""
        merged = Message()
        for part in self.all(name, message):
            for key, values in part.fields.items():
                merged.fields.setdefault(key, []).extend(values)
        self._parts.append(Fields(merged, self.place, f"{self._prefix}{name}"))
        self._parts[-1].ignore(*ignored)
        return self._parts[-1]

    def ignore(self, *names: str) -> None:
        """Fields that make no difference here."""
        self._asked.update(names)

    def ignore_all(self) -> None:
        """The whole message makes no difference here."""
        self.ignore(*self._message.fields)
        self._parts.clear()

    def finish(self) -> None:
        """Refuses fields that nobody asked for: each may change what the network computes."""
        for name in self._message.fields:
            if name not in self._asked:
                known = sorted(self._asked)
                raise self.error(unknown(f"field of {self._prefix.rstrip('.') or 'this message'}:", name, known))
        for part in self._parts:
            part.finish()
