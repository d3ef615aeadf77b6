"""How a command that makes a run directory ends."""

from typing import TYPE_CHECKING

import typer

from heatproof.cli.application import PARTIAL
from heatproof.cli.opening import open_page
from heatproof.cli.output import tell
from heatproof.cli.printing import print_study, say

if TYPE_CHECKING:
    from heatproof.data import Pictures
    from heatproof.studies.study import Study
    from heatproof.studies.work import Work


def deliver(
    study: "Study",
    pictures: "Pictures",
    out: str,
    *,
    holding: str,
    work: "Work | None" = None,
    opened: bool = False,
) -> None:
    """Prints a study that was written, says what it took and what it holds; exits 3 if pictures are missing."""
    tell(run=out, page=f"{out}/report.html", **({"work": work.describe()} if work else {}))
    print_study(study)
    say()
    if work:
        say(str(work))
    say(f"Results: {out}/report.html (page), {holding}, figures as PNG and SVG")
    if opened:
        open_page(out)
    if pictures.skipped:
        raise typer.Exit(PARTIAL)
