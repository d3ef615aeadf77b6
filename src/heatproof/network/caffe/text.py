"""The text form of protocol buffers (``.prototxt``): fields by name, each with its values in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from heatproof.errors import InputError

DEEPEST = 16  # messages within messages; Caffe's have four
LARGEST = 2**20  # bytes of a file; ResNet-152's has 0.1 MB

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<word>[A-Za-z_]\w*)
    |(?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fF]?))
    |(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<mark>[{}<>:;,\[\]])""",
    re.VERBOSE,
)
_CLOSING = {"{": "}", "<": ">"}


class Word(str):
    """A value without quotes: a choice, or true and false."""

    __slots__ = ()


@dataclass
class Message:
    """Fields by name, each with its values in order."""

    fields: "dict[str, list[Value]]" = field(default_factory=dict)


Value = int | float | str | Word | Message


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def read_text(path: Path) -> Message:
    """The message in a file.

    Raises:
        InputError: if the file is missing, far too large, or no such text.
    """
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}")
    if path.stat().st_size > LARGEST:
        raise InputError(
            f"{path.name} has {path.stat().st_size:,} bytes; a description of layers has {LARGEST:,} at most"
        )
    try:
        return parse(path.read_text("utf-8", errors="replace"))
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None


def parse(source: str) -> Message:
    """The message that a text describes.

    >>> parse('layer { name: "conv1" pool: MAX pad: 1 pad: 2 }').fields["layer"][0].fields
    {'name': ['conv1'], 'pool': ['MAX'], 'pad': [1, 2]}
    """
    return _Parser(source).message(None, 0)


def _tokens(source: str) -> Iterator[_Token]:
    line, position = 1, 0
    while position < len(source):
        found = _TOKEN.match(source, position)
        if found is None:
            raise InputError(f"line {line}: expected a name, a number, a text or a bracket, got {source[position]!r}")
        if found.lastgroup != "space":
            yield _Token(str(found.lastgroup), found.group(), line)
        line += found.group().count("\n")
        position = found.end()
    yield _Token("end", "the end", line)


class _Parser:
    """Takes the tokens of a text one by one."""

    def __init__(self, source: str) -> None:
        self._tokens = _tokens(source)
        self._next = next(self._tokens)

    def _take(self) -> _Token:
        token = self._next
        self._next = next(self._tokens, token)  # the end comes again and again
        return token

    def _took(self, mark: str) -> bool:
        """Whether this mark is next; it is taken."""
        return self._next.kind == "mark" and self._next.text == mark and bool(self._take())

    def message(self, closing: str | None, depth: int) -> Message:
        """The fields up to the closing bracket, or to the end."""
        if depth > DEEPEST:
            raise InputError(f"line {self._next.line}: messages lie more than {DEEPEST} deep in one another")
        message = Message()
        while True:
            token = self._take()
            if token.text == closing or (closing is None and token.kind == "end"):
                return message
            if token.kind != "word":
                wanted = f"a name or {closing!r}" if closing else "a name"
                raise InputError(f"line {token.line}: expected {wanted}, got {token.text[:40]!r}")
            message.fields.setdefault(token.text, []).extend(self._values(depth))
            while self._took(";") or self._took(","):
                pass

    def _values(self, depth: int) -> list[Value]:
        """What follows a name: one value, or a list of them in brackets."""
        colon = self._took(":")
        if not self._took("["):
            return [self._value(depth, colon=colon)]
        values: list[Value] = []
        while not self._took("]"):
            values.append(self._value(depth, colon=True))
            self._took(",")
        return values

    def _value(self, depth: int, *, colon: bool) -> Value:
        token = self._take()
        if token.text in _CLOSING and token.kind == "mark":
            return self.message(_CLOSING[token.text], depth + 1)
        if colon and token.kind == "word":
            return Word(token.text)
        if colon and token.kind == "number":
            return _number(token)
        if colon and token.kind == "text":
            value = token.text[1:-1]
            while self._next.kind == "text":  # texts side by side are one
                value += self._take().text[1:-1]
            return value
        wanted = "a value" if colon else "':' or '{'"
        raise InputError(f"line {token.line}: expected {wanted}, got {token.text[:40]!r}")


def _number(token: _Token) -> int | float:
    text = token.text
    try:
        if "x" in text.lower():
            return int(text, 16)
        return float(text.rstrip("fF")) if re.search(r"[.eEfF]", text) else int(text)
    except ValueError:  # Python refuses whole numbers of more than some thousand digits
        raise InputError(f"line {token.line}: expected a number, got {text[:40]!r}") from None
