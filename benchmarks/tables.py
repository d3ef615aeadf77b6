"""What a benchmark measured: rows with the machine, the versions and the date, as JSON and as a Markdown table.

``benchmarks/results/NAME.json`` has one row for each thing measured. It is written after each row, so that an
interrupted run loses nothing. Later runs on the same machine with the same versions replace their own rows and leave
the others; on another machine, or with other versions, they begin anew.
"""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"

Row = dict[str, str | float | None]  # a cell by column; None where there is none


class Results:
    """Rows of one benchmark, kept in a file.

    Attributes:
        path: the JSON file.
        record: what it holds: ``name``, ``machine``, ``versions``, and ``rows``, each with ``cells``, ``details`` and
            ``date``.
    """

    def __init__(
        self, name: str, packages: Sequence[str], *, threads: int, keys: int = 1, folder: Path = RESULTS
    ) -> None:
        self.path, self.keys = folder / f"{name}.json", keys
        self.record: dict[str, Any] = {
            "name": name,
            "machine": {"processor": processor(), "cores": cores(), "threads": threads, "dtype": "float32"},
            "versions": {"python": platform.python_version()} | {package: version(package) for package in packages},
            "rows": [],
        }
        earlier = read(self.path)
        if earlier is None:
            return
        if all(earlier[part] == self.record[part] for part in ("machine", "versions")):
            self.record = earlier
        else:
            print(f"{self.path.name} is from another machine or other versions: its rows are replaced")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows, those of earlier runs included."""
        found: list[dict[str, Any]] = self.record["rows"]
        return found

    def has(self, *key: str) -> bool:
        """Whether there is a row whose first cells are these."""
        return any(self._key(row["cells"]) == key for row in self.rows)

    def add(self, cells: Row, details: Mapping[str, Any] | None = None) -> None:
        """Adds a row, or replaces the one with the same first cells, and writes the file."""
        row = {"cells": cells, "details": dict(details or {}), "date": date.today().isoformat()}
        keys = [self._key(other["cells"]) for other in self.rows]
        if (key := self._key(cells)) in keys:
            self.rows[keys.index(key)] = row
        else:
            self.rows.append(row)
        self._write()
        print(", ".join(f"{name} {shown(value)}" for name, value in cells.items()), flush=True)

    def sort(self, order: Sequence[str]) -> None:
        """Puts rows into the order of their first cells, and writes the file."""
        self.rows.sort(key=lambda row: order.index(next(iter(row["cells"].values()))))
        self._write()

    def _key(self, cells: Row) -> tuple[str | float | None, ...]:
        return tuple(cells.values())[: self.keys]

    def _write(self) -> None:
        self.path.parent.mkdir(exist_ok=True)
        unfinished = self.path.with_suffix(".part")
        unfinished.write_text(json.dumps(self.record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        unfinished.replace(self.path)


def read(path: Path) -> dict[str, Any] | None:
    """The record in a file, if there is one."""
    found: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return found


def markdown(record: Mapping[str, Any]) -> str:
    """Machine, versions and date in one line, and below it the table."""
    rows = [row["cells"] for row in record["rows"]]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    numeric = [all(not isinstance(row.get(column), str) for row in rows) for column in columns]
    lines = [
        columns,
        ["---:" if number else "---" for number in numeric],
        *([shown(row.get(column)) for column in columns] for row in rows),
    ]
    return "\n".join([heading(record), "", *(f"| {' | '.join(cells)} |" for cells in lines)])


def heading(record: Mapping[str, Any]) -> str:
    """On which machine, with which versions, and when.

    >>> machine = {"processor": "EPYC", "cores": 2, "threads": 1, "dtype": "float32"}
    >>> heading({"machine": machine, "versions": {"torch": "2.14.1"}, "rows": [{"date": "2026-11-30"}]})
    '*EPYC, 2 cores, 1 thread, float32; torch 2.14.1; 2026-11-30.*'
    """
    machine = record["machine"]
    parts = [machine["processor"], _counted(machine["cores"], "core"), _counted(machine["threads"], "thread")]
    days = sorted({row["date"] for row in record["rows"]})
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    return f"*{', '.join([*parts, machine['dtype']])}; {versions}; {' to '.join(days[:1] + days[1:][-1:])}.*"


def shown(value: str | float | None) -> str:
    """A cell as text: three digits, of which two at most stand behind the point.

    >>> [shown(value) for value in (None, "ViT", 1234.5, 42.61, 6.519, 0.978, 0.0, 27)]
    ['–', 'ViT', '1,234', '42.6', '6.52', '0.98', '0.00', '27']
    """
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    before = math.floor(math.log10(abs(value))) + 1 if value else 0
    return f"{value:,.{min(2, max(0, 3 - before))}f}"


def processor() -> str:
    """The processor's name, and what torch uses of it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    capability = torch.backends.cpu.get_cpu_capability().replace("AVX", "AVX-")
    return f"{names[0] if names else platform.processor() or platform.machine()} ({capability})"


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
