"""Runs the Python blocks of a page one after the other, so that what the page says stays true.

``python docs/run.py docs/why.md`` runs a page from the root of the repository; its figures land in ``docs/figures/``.
"""

import contextlib
import importlib.util
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NEEDS = r"(?:^<!-- needs: (\w+) -->\n)?"  # a package, without which the block is passed over
BLOCK = re.compile(rf"{NEEDS}^```python\n(.*?)^```$(?:\s*^```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
CLOSE = 0.02  # trained networks differ a little between machines


@dataclass(frozen=True)
class Block:
    """A Python block of a page: its line, code, the output shown below it (or none), and the package that it needs."""

    line: int
    code: str
    shown: str
    needs: str = ""

    @property
    def can_run(self) -> bool:
        """Whether the package is there that it needs."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


def blocks(page: Path) -> list[Block]:
    """The blocks that begin with ```` ```python ````; a ```` ```text ```` block right below one is its output."""
    text = page.read_text(encoding="utf-8")
    found = BLOCK.finditer(text)
    return [Block(text[: match.start(2)].count("\n") + 1, match[2], match[3] or "", match[1] or "") for match in found]


def run(page: Path) -> list[tuple[Block, str]]:
    """Each block that can run, with what it printed; they share their names, as in one program."""
    names: dict[str, Any] = {"__name__": page.stem}
    printed = []
    for block in filter(lambda block: block.can_run, blocks(page)):
        output = io.StringIO()
        padded = "\n" * (block.line - 1) + block.code  # an error then names the line of the page
        with contextlib.redirect_stdout(output):
            exec(compile(padded, str(page), "exec"), names)
        printed.append((block, output.getvalue()))
    return printed


def agree(printed: str, shown: str) -> bool:
    """Whether two texts have the same words and nearly the same numbers.

    Numbers may differ by 2 % or by one unit of their last digit.

    >>> agree("AOPC 12.31", "AOPC  12.32"), agree("AOPC 12.31", "AOPC 13.31"), agree("yes", "no")
    (True, False, False)
    """
    if NUMBER.sub("#", printed).split() != NUMBER.sub("#", shown).split():
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True)
    return all(_close(one, other) for one, other in pairs)


def _close(one: str, other: str) -> bool:
    first, second = (float(number.replace("−", "-").replace(",", "")) for number in (one, other))
    mantissa, _, exponent = other.partition("e")
    last_digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(first - second) <= max(CLOSE * abs(second), 1.001 * last_digit)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        for block, output in run(Path(argument)):
            if not agree(output, block.shown):
                print(f"{argument}, line {block.line}, now prints:\n{output}")
