"""``heatproof report`` and ``heatproof metrics``: what is derived from a run, made again."""

from typing import Annotated

from heatproof.cli.application import app
from heatproof.cli.opening import Open, open_page
from heatproof.cli.output import output, tell
from heatproof.cli.printing import print_study, say
from heatproof.options.option import Option
from heatproof.runs.store import open_store

Run = Annotated[str, Option("Folder or URL of a run.", positional=True, metavar="RUN")]


@app.command("report")
def report_command(run: Run, *, opened: Open = False) -> None:
    """Makes tables, figures and the page of a run again, from what it stored; also of one that is not finished.

    [bold]heatproof report RUN --open[/bold]
    """
    from heatproof.runs.destination import written_again
    from heatproof.studies.road.reading import read_study
    from heatproof.studies.road.record import command_of_run

    store = open_store(run)
    with written_again(store):  # and read in it, so that it is the run that is written
        study = read_study(store)
        study.write_results(store, command_of_run(store))
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
    from heatproof.studies.road.reading import read_comparison

    table = read_comparison(open_store(run)).measures_table()
    tell(table={"columns": table.columns, "rows": table.rows, "notes": table.notes})
    if not output.as_json:
        say(str(table), as_wide=True)
