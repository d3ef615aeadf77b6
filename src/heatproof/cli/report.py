"""``heatproof report`` and ``heatproof metrics``: what is derived from a run, made again."""

from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.opening import Open, open_page
from heatproof.cli.output import output, tell
from heatproof.cli.printing import print_study, say
from heatproof.runs.objects import Store
from heatproof.runs.store import open_store

if TYPE_CHECKING:
    from heatproof.studies.comparison import Comparison
    from heatproof.studies.study import Study

Run = Annotated[str, typer.Argument(metavar="RUN", help="Folder or URL of a run.")]


@app.command("report")
def report_command(run: Run, *, opened: Open = False) -> None:
    """Makes tables, figures and the page of a run again, from what it stored; also of one that is not finished.

    [bold]heatproof report RUN --open[/bold]
    """
    from heatproof.runs.destination import written_again
    from heatproof.runs.run_record import read_content
    from heatproof.studies.road import cell_runs, collecting
    from heatproof.studies.road.record import command_of_run

    store = open_store(run)
    with written_again(store):  # and read in it, so that it is the run that is written
        study: Study
        if "cells" in read_content(store):
            study = cells = cell_runs.read_cells(store)
            cell_runs.write_results(cells, store, command_of_run(store))
        else:
            study = comparison = study_of(store)
            collecting.write_results(comparison, store, command_of_run(store))
    tell(run=run, page=f"{run}/report.html")
    print_study(study)
    say(f"Results: {run}/report.html (page), tables and figures")
    if opened:
        open_page(run)


@app.command("metrics")
def metrics_command(run: Run) -> None:
    """Every measure of a run, from its stored curves; no network runs.

    [bold]heatproof metrics RUN[/bold]
    """
    table = study_of(open_store(run)).measures_table()
    tell(table={"columns": table.columns, "rows": table.rows, "notes": table.notes})
    if not output.as_json:
        say(str(table), as_wide=True)


def study_of(store: Store) -> "Comparison":
    """The comparison that a run holds."""
    from heatproof.runs.run_record import read_content
    from heatproof.studies.road.collecting import gathered
    from heatproof.studies.road.record import read_assignment

    record = read_content(store)
    return gathered(read_assignment(store), record["network"], record["notes"])
