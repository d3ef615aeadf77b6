"""Strategies: bytes and texts that are nearly right."""

import os

from hypothesis import settings
from hypothesis import strategies as st

TIMES = int(os.environ.get("HEATPROOF_FUZZ", "1"))
ODD = (0, 1, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
ODD_TEXTS = (
    "", " ", "\0", "\x1b[2J", "\u202e", "../..", "/etc/passwd", "=1+1", "<b>", "9" * 5000, "-1", "1e999", "nan", "inf",
    "\ud800", "é", "٣", "²", "[", "]", "[]", "=", ",", ",,", "{", "}", "\n", "\r\n", "\t", "0x10", "1_000", "$x_",
    "a" * 300,
)  # fmt: skip


def fuzzed(examples):
    """Settings for so many inputs, or a multiple of them."""
    return settings(settings.get_profile("fuzz"), max_examples=examples * TIMES)


@st.composite
def damaged(draw, whole, *, near_the_end=0):
    """The bytes with one to six changes; with ``near_the_end``, half of them fall into so many last bytes."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        if not content:
            break
        low = max(0, len(content) - near_the_end) if near_the_end and draw(st.booleans()) else 0
        place = draw(st.integers(low, len(content) - 1))
        length = draw(st.integers(1, 64))
        kind = draw(st.sampled_from(["byte", "bit", "number", "number", "cut", "out", "twice", "insert"]))
        if kind == "byte":
            content[place] = draw(st.integers(0, 255))
        elif kind == "bit":
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "number":
            size = draw(st.sampled_from([1, 2, 4, 8]))
            number = draw(st.sampled_from(ODD)) % 256**size
            content[place : place + size] = number.to_bytes(size, draw(st.sampled_from(["little", "big"])))
        elif kind == "cut":
            del content[place:]
        elif kind == "out":
            del content[place : place + length]
        elif kind == "twice":
            content[place:place] = content[place : place + length] * draw(st.sampled_from([1, 1, 100]))
        else:
            content[place:place] = draw(st.binary(min_size=1, max_size=16))
    return bytes(content)


@st.composite
def damaged_text(draw, whole):
    """The text with one to six changes: characters, odd pieces, whole lines."""
    lines = whole.split("\n")
    for _ in range(draw(st.integers(1, 6))):
        number = draw(st.integers(0, len(lines) - 1))
        line = lines[number]
        place, end = draw(st.integers(0, len(line))), draw(st.integers(0, len(line)))
        piece = draw(st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=8), st.integers().map(str)))
        lines[number] = draw(
            st.sampled_from([line[:place] + piece + line[end:], piece, line[:place], f"{line}\n{line}", line[place:]])
        )
    return "\n".join(lines)
