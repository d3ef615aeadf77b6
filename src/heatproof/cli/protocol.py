"""``heatproof protocol``."""

import typer

from heatproof.cli.application import app
from heatproof.cli.explaining import Explaining
from heatproof.cli.places import RunPlace
from heatproof.cli.results import deliver
from heatproof.cli.study_file import StudyCommand, settings_of
from heatproof.cli.working import Working
from heatproof.options.studies import ProtocolsOptions


@app.command("protocol", cls=StudyCommand)
def protocol_command(
    *, context: typer.Context, place: RunPlace, given: Explaining, options: ProtocolsOptions, workers: Working
) -> None:
    r"""Which protocol can judge on this network: which tells good maps from maps that know nothing most clearly?

    [bold]heatproof protocol photos/ --images 24 --out RUN[/bold]

    [bold]heatproof protocol photos/ --candidates coarse-blur,fine-uniform --out RUN[/bold]

    [bold]heatproof protocol photos/ --candidates "coarse-blur,coarse-blur\[removed=0.5]" --out RUN[/bold]
    """
    from heatproof.studies.protocols import wanted_protocols
    from heatproof.studies.road.cell_runs import run_cells

    settings = settings_of(context)
    settings |= {"methods": settings.get("methods", given.method_names)}
    with place.held(context) as store:
        wanted = wanted_protocols(options, given.methods_and_files(), workers.opened_by(given, options.seed))
        with workers.execution(place, device=given.device) as execution:
            study = run_cells(wanted, store, settings, execution)
    deliver(study, place, holding="tables, figures, scores.parquet, cells/ (a run for each protocol)")
