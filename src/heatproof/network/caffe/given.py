"""What a message says, field by field; what nobody asked for is an error, as it is in Caffe."""

import math
from collections.abc import Mapping
from typing import TypeVar

from heatproof.errors import InputError
from heatproof.network.caffe.text import Message, Value, Word
from heatproof.registry import unknown

LARGEST = 2**31 - 1
T = TypeVar("T")


class Given:
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
        self._parts: list[Given] = []

    def rename(self, place: str) -> None:
        """Says another place from now on, without the field that holds the message."""
        self.place, self._prefix = place, ""

    def error(self, text: str) -> InputError:
        """An error that says where."""
        return InputError(f"{self.place}: {text}")

    def wholes(self, name: str, least: int = 0) -> list[int]:
        """Whole numbers from ``least`` on; none where the field is missing."""
        values = self._values(name)
        for value in values:
            if not isinstance(value, int) or not least <= value <= LARGEST:
                raise self.error(f"{self._prefix}{name} must be a whole number from {least} on, got {_shown(value)}")
        return [value for value in values if isinstance(value, int)]

    def whole(self, name: str, default: int | None = None, least: int = 0) -> int:
        """A whole number; without a default it must be there."""
        return self._one(name, self.wholes(name, least), default)

    def number(self, name: str, default: float) -> float:
        """A finite number."""
        values = self._values(name)
        for value in values:
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise self.error(f"{self._prefix}{name} must be a finite number, got {_shown(value)}")
        return self._one(name, [float(value) for value in values if isinstance(value, int | float)], default)

    def numbers(self, name: str) -> list[float]:
        """Finite numbers."""
        return [Given(Message(fields={name: [value]}), self.place).number(name, 0) for value in self._values(name)]

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        return self.choice(name, {"true": True, "false": False, 1: True, 0: False}, default)

    def choice(self, name: str, choices: Mapping[str | int, T], default: T) -> T:
        """One of several words, or its number."""
        values = self._values(name)
        for value in values:
            if not isinstance(value, Word | int) or value not in choices:
                known = ", ".join(choice for choice in choices if isinstance(choice, str))
                raise self.error(f"{self._prefix}{name} must be one of {known}, got {_shown(value)}")
        return self._one(name, [choices[value] for value in values if isinstance(value, Word | int)], default)

    def texts(self, name: str) -> list[str]:
        """Texts in quotes (or words, as old files have them)."""
        values = self._values(name)
        for value in values:
            if not isinstance(value, str):
                raise self.error(f"{self._prefix}{name} must be a text in quotes, got {_shown(value)}")
        return [value for value in values if isinstance(value, str)]

    def parts(self, name: str) -> list["Given"]:
        """The messages in a field."""
        return [self._inner(name, message) for message in self._messages(name)]

    def part(self, name: str) -> "Given":
        """The message in a field; an empty one where it is missing. A later one adds to an earlier one."""
        merged = Message()
        for message in self._messages(name):
            for key, values in message.fields.items():
                merged.fields.setdefault(key, []).extend(values)
        return self._inner(name, merged)

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

    def _inner(self, name: str, message: Message) -> "Given":
        self._parts.append(Given(message, self.place, f"{self._prefix}{name}"))
        return self._parts[-1]

    def _messages(self, name: str) -> list[Message]:
        values = self._values(name)
        for value in values:
            if not isinstance(value, Message):
                raise self.error(f"{self._prefix}{name} must be a message in brackets, got {_shown(value)}")
        return [value for value in values if isinstance(value, Message)]

    def _values(self, name: str) -> list[Value]:
        self._asked.add(name)
        return self._message.fields.get(name, [])

    def _one(self, name: str, values: list[T], default: T | None) -> T:
        if values:
            return values[-1]  # of several, protocol buffers take the last
        if default is None:
            raise self.error(f"{self._prefix}{name} is missing")
        return default


def _shown(value: Value) -> str:
    return "a message" if isinstance(value, Message) else repr(value)[:60]
