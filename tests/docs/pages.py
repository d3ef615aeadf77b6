"""The pages that a reader is given, and the commands that they show."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
WITH_COMMANDS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md", *PAGES]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = ("", "sh", "bash", "shell")
INLINE = re.compile(r"`(heatproof [^`]+)`")


@dataclass(frozen=True)
class Shown:
    """A command on a page."""

    page: Path
    line: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}: {' '.join(self.words)}"


def commands(program: str) -> list[Shown]:
    """Every call of a program in the shell fences of all pages; lines that end in a backslash go on."""
    found = []
    for page in WITH_COMMANDS:
        text = page.read_text(encoding="utf-8")
        for fence in FENCE.finditer(text):
            if fence[1] not in SHELL:
                continue
            first = text[: fence.start(2)].count("\n") + 1
            found += [Shown(page, first + at, words) for at, words in _calls(fence[2], program)]
    return found


def inline(page: Path) -> list[str]:
    """Commands within the running text of a page."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(found.split()) for found in INLINE.findall(text)]


def _calls(text: str, program: str) -> list[tuple[int, tuple[str, ...]]]:
    found: list[tuple[int, tuple[str, ...]]] = []
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        first, line = at, lines[at]
        while line.endswith("\\"):
            at += 1
            line = line[:-1] + lines[at]
        at += 1
        words = line.split("#")[0].split() if line.strip().startswith("#") else _split(line)
        if words and words[0] == program:
            found.append((first, tuple(words)))
    return found


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # not a command: output, with a lone apostrophe
        return []
