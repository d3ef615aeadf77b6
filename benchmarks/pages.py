"""Puts what was measured into the pages, between markers: ``python benchmarks/pages.py``.

``<!-- table: NAME --> … <!-- end -->`` holds the table of ``benchmarks/results/NAME.json``, and
``<!-- text: NAME --> … <!-- end -->`` what the function of that name in ``TEXTS`` says of it. A marker on a line of its
own has its content on lines of their own. What was not measured yet has no text, and a table says how to measure it.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tables

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARKED = re.compile(r"(<!-- (table|text): ([\w-]+) -->)(.*?)(<!-- end -->)", re.DOTALL)
SPED_UP = 1.5  # times the fastest loop: networks from here on are said to gain

Rows = list[tables.Row]


def speed_up(rows: Rows) -> str:
    """How much sooner the same numbers come than from the fastest plain loop, and where they do not."""
    factors = {str(row["network"]): _of_fastest(row) for row in rows}
    gain = {name: factor for name, factor in factors.items() if factor >= SPED_UP}
    rest = {name: factor for name, factor in factors.items() if factor < SPED_UP}
    said = (
        f"The same numbers come {_range(gain)} times sooner than from the fastest plain loop on {len(gain)} of "
        f"{len(factors)} networks, most so on {max(gain, key=lambda name: gain[name])}"
    )
    return said + (f"; on {_listed(rest)} it is {_range(rest)} times." if rest else ".")


def against_quantus(rows: Rows) -> str:
    """How much faster the engine is than Quantus."""
    return f"{_range({str(row['network']): float(row['× Quantus'] or 0) for row in rows})} times as fast as Quantus"


def compiled(rows: Rows) -> str:
    """What compiling gives the plain loop, and takes."""
    known = [row for row in rows if row.get("× compiled loop")]
    gain = {str(row["network"]): float(row["× plain loop"] or 0) / float(row["× compiled loop"] or 1) for row in known}
    seconds = [float(row["compiling, s"] or 0) for row in known]
    least, *_, most = sorted(gain, key=lambda name: gain[name])
    return (
        f"{_range(gain)} times as fast on {len(gain)} networks (least {least}, most {most}), after {min(seconds):.0f} "
        f"to {max(seconds):.0f} s of compiling"
    )


def cost_of_lrp(rows: Rows) -> str:
    """Costs of methods on ViT-B/16, in units of a gradient."""
    costs = {str(row["method"]): row["× gradient"] for row in rows if row["network"] == "ViT-B/16"}
    methods = (
        "lrp-epsilon", "lrp-attention", "lrp-attention[softmax=taylor]", "attention-rollout",
        "gradient-attention-rollout", "legrad",
    )  # fmt: skip
    return ", ".join(f"`{name}` {tables.shown(costs[f'`{name}`'])}" for name in methods)


def settled(rows: Rows) -> str:
    """How much sooner the ranking is settled than by the paper's protocol, at equal error."""
    plain, ours = (
        {
            str(row["network"]): float(factor)
            for row in rows
            if row["design"] == design and (factor := row["× defaults"])
        }
        for design in ("paper, plain batches", "paper, heatproof")
    )
    in_batches, in_heatproof = (
        f"{min(factors.values()):.0f} to {max(factors.values()):.0f}" for factors in (plain, ours)
    )
    return (
        f"Seven methods are ranked at equal error {in_batches} times sooner than by the paper's protocol in plain "
        f"batches, and {in_heatproof} times sooner than by that protocol in heatproof (its images are computed from a "
        "pilot): few steps are scored, and once."
    )


TEXTS: dict[str, tuple[str, Callable[[Rows], str]]] = {  # of which results, and how they are said
    "speed-up": ("incremental", speed_up),
    "against-quantus": ("incremental", against_quantus),
    "compiled": ("incremental", compiled),
    "cost-of-lrp": ("lrp", cost_of_lrp),
    "settled": ("settled", settled),
}


def filled(text: str, results: Path = tables.RESULTS) -> str:
    """A page with what was measured between its markers."""

    def replaced(found: re.Match[str]) -> str:
        start, kind, name, before, end = found.groups()
        content = _table(name, results) if kind == "table" else _text(name, results)
        return f"{start}\n{content}\n{end}" if before.startswith("\n") else f"{start}{content}{end}"

    return MARKED.sub(replaced, text)


def _table(name: str, results: Path) -> str:
    record = tables.read(results / f"{name}.json")
    return tables.markdown(record) if record else f"Not measured yet: `python benchmarks/bench_{name}.py`."


def _text(name: str, results: Path) -> str:
    source, said = TEXTS[name]
    record: dict[str, Any] | None = tables.read(results / f"{source}.json")
    return said([row["cells"] for row in record["rows"]]) if record else ""


def _of_fastest(row: tables.Row) -> float:
    """Factor above the faster of the two plain loops."""
    return min(float(factor) for column in ("× plain loop", "× compiled loop") if (factor := row.get(column)))


def _range(factors: dict[str, float]) -> str:
    """Least and largest.

    >>> _range({"a": 1.96, "b": 6.49}), _range({"a": 1.96})
    ('2.0 to 6.5', '2.0')
    """
    low, high = f"{min(factors.values()):.1f}", f"{max(factors.values()):.1f}"
    return low if low == high else f"{low} to {high}"


def _listed(names: dict[str, float]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def main() -> None:
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        if (after := filled(before)) != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.relative_to(ROOT)} is updated")


if __name__ == "__main__":
    main()
