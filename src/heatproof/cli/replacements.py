"""``heatproof replacements``."""

import typer

from heatproof.cli.application import app
from heatproof.cli.options import Picturing
from heatproof.cli.places import RunPlace
from heatproof.cli.results import deliver
from heatproof.cli.study_file import StudyCommand, settings_of
from heatproof.cli.working import Working
from heatproof.options.studies import ReplacementsOptions


@app.command("replacements", cls=StudyCommand)
def replacements_command(
    *, context: typer.Context, place: RunPlace, given: Picturing, options: ReplacementsOptions, workers: Working
) -> None:
    r"""Which replacement of removed regions takes information away? MoRF and LeRF curves, and the area between (ABPC).

    [bold]heatproof replacements photos/ --out RUN[/bold]

    [bold]heatproof replacements builtin --replacements "uniform,blur\[sigma=5],road" --steps 40 --out RUN[/bold]
    """
    from heatproof.studies.replacements import wanted_replacements
    from heatproof.studies.road.cell_runs import run_cells

    settings = settings_of(context)
    with place.held(context) as store:
        wanted = wanted_replacements(options, workers.opened_by(given, options.seed))
        with workers.execution(place, device=given.device) as execution:
            study = run_cells(wanted, store, settings, execution)
    deliver(study, place, holding="tables, figures, scores.parquet, cells/ (a run for each replacement)")
