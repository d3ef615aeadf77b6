"""How a command that makes a run directory ends."""

from typing import TYPE_CHECKING

import typer

from heatproof.cli.application import PARTIAL
from heatproof.cli.opening import open_page
from heatproof.cli.output import tell
from heatproof.cli.places import RunPlace
from heatproof.cli.printing import print_study, say, skipped

if TYPE_CHECKING:
    from heatproof.studies.study import Study


def deliver(study: "Study", place: RunPlace, *, holding: str) -> None:
    """Prints a study that was written, what it took and what it holds; exits 3 if pictures or shards are missing."""
    out, work = place.out, study.work
    tell(run=out, page=f"{out}/report.html", **({"work": work.describe()} if work else {}))
    skipped(study.skipped)
    print_study(study)
    say()
    if work:
        say(str(work))
    say(f"Results: {out}/report.html (page), {holding}")
    if place.opened:
        open_page(out)
    if study.skipped or study.set_aside:
        raise typer.Exit(PARTIAL)
