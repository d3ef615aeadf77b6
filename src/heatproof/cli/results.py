"""How a command that makes a run directory ends."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.application import PARTIAL
from heatproof.cli.opening import open_page
from heatproof.cli.output import tell
from heatproof.cli.printing import print_study, say
from heatproof.cli.shell import shell_line

if TYPE_CHECKING:
    from heatproof.data import Pictures
    from heatproof.studies.study import Study
    from heatproof.studies.work import Work

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; it appears whole or not at all.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in --out.")]


def deliver(
    study: "Study",
    pictures: "Pictures",
    out: Path,
    *,
    overwrite: bool,
    holding: str,
    work: "Work | None" = None,
    opened: bool = False,
) -> None:
    """Saves and prints a study, says what it took and what the folder holds; exits 3 if pictures are missing."""
    study.save(out, reproduce=shell_line(["heatproof", *sys.argv[1:]]), overwrite=overwrite)
    tell(run=out, page=out / "report.html", **({"work": work.describe()} if work else {}))
    print_study(study)
    say()
    if work:
        say(str(work))
    say(f"Results: {out}/report.html (page), {holding}, figures as PNG and SVG")
    if opened:
        open_page(out)
    if pictures.skipped:
        raise typer.Exit(PARTIAL)
