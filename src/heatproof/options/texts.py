"""What the texts of options become."""

import math
import re

from heatproof.bounds import MEMORY
from heatproof.defaults import ALL
from heatproof.errors import InputError
from heatproof.registry import is_whole

GB = 2**30  # bytes
PERCENT = re.compile(r"([0-9]{1,3}(?:[.][0-9]{1,9})?)%")
LEAST_MEMORY, MOST_MEMORY = 0.05, MEMORY.high / GB  # GB


def as_size(text: str) -> int | tuple[int, int]:
    """Pixels, or height and width.

    >>> as_size("227"), as_size("224x256")
    (227, (224, 256))
    """
    sides = text.lower().split("x")
    if not all(map(is_whole, sides)) or len(sides) > 2:
        raise InputError(f"a size must be a number of pixels or HEIGHTxWIDTH, got {text!r:.80}")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def as_regions(text: str | int) -> int | str:
    """A size in pixels, or a name."""
    return int(text) if is_whole(str(text)) else str(text)


def as_against(text: str | int) -> int | str:
    """The number of a class, or a name."""
    return int(text) if is_whole(str(text)) else str(text)


def as_steps(text: str) -> int | str:
    """A number of steps, a share of all of them, or all."""
    if text == ALL or share_in(text):
        return text
    if is_whole(text):
        return int(text)
    raise InputError(f"steps must be a whole number, a share such as '50%', or 'all', got {text!r:.80}")


def share_in(text: str) -> float | None:
    """The share that a percentage says, above 0 and up to 1; none for other texts.

    >>> share_in("50%"), share_in("0%"), share_in("half")
    (0.5, None, None)
    """
    found = PERCENT.fullmatch(text)
    share = float(found[1]) / 100 if found else 0.0
    return share if 0 < share <= 1 else None


def as_numbers(text: str) -> tuple[float, ...]:
    """Numbers with commas between them."""
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise InputError(f"expected numbers separated by commas, got {text!r:.80}") from None


def as_memory(text: str | float) -> int:
    """Bytes, from a number of GB (2³⁰ bytes), or from a size with its unit.

    >>> as_memory("2"), as_memory("512 MB")
    (2147483648, 536870912)
    """
    number, unit = re.split(r"(?i)\s*(GB|MB|)\s*\Z", str(text), maxsplit=1)[:2]
    try:
        memory = float(number) / (1024 if unit.upper() == "MB" else 1)
    except ValueError:
        memory = math.nan
    if not LEAST_MEMORY <= memory <= MOST_MEMORY:
        raise InputError(
            f"expected {LEAST_MEMORY} to {MOST_MEMORY:,.0f} GB of memory, as 2, 8GB or 500MB, got {str(text)!r:.80}"
        )
    return math.ceil(memory * GB)


def as_gb(memory: int) -> float:
    """GB, from bytes."""
    return memory / GB


def as_shown(text: str | int) -> int | str:
    """How many pictures, or names of some."""
    return int(text) if is_whole(str(text)) else str(text)
