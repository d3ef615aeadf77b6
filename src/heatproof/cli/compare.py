"""``heatproof compare``."""

import typer

from heatproof.cli.application import app
from heatproof.cli.explaining import Explaining
from heatproof.cli.places import RunPlace
from heatproof.cli.results import deliver
from heatproof.cli.study_file import StudyCommand, settings_of
from heatproof.cli.working import Sharing
from heatproof.options.studies import CompareOptions


@app.command("compare", cls=StudyCommand)
def compare_command(
    *, context: typer.Context, place: RunPlace, given: Explaining, options: CompareOptions, workers: Sharing
) -> None:
    r"""Which heatmap method explains this network best, on these images?

    [bold]heatproof compare photos/ --out RUN[/bold]

    [bold]heatproof compare builtin --methods "lrp-epsilon,lrp-alphabeta\[alpha=1,beta=0]" --steps 40 --out RUN[/bold]

    [bold]heatproof compare photos/ --heatmaps mine=maps.npz --methods captum:IntegratedGradients --out RUN[/bold]

    [bold]heatproof compare photos/ --scored 8 --until ranked --out RUN[/bold]
    """
    from heatproof.studies.compare import wanted_comparison
    from heatproof.studies.road.running import run_comparison

    settings = settings_of(context)
    settings |= {"methods": settings.get("methods", given.method_names)}  # a run says what its default was
    wanted = wanted_comparison(options, given.methods_and_files())
    with place.held(context) as store:
        opened = workers.opened_by(given, options.seed)
        with workers.execution(place, device=given.device) as execution:
            study = run_comparison(wanted, opened, store, settings, execution)
    deliver(study, place, holding="tables and figures, shards/ (every score), heatmaps.zarr")
