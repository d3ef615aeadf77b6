"""``heatproof planted``."""

import typer

from heatproof.cli.application import app
from heatproof.cli.explaining import MethodsOption
from heatproof.cli.heatmaps_alone import run_heatmaps_alone
from heatproof.cli.options import Picturing
from heatproof.cli.places import RunPlace
from heatproof.cli.study_file import StudyCommand
from heatproof.cli.working import Working
from heatproof.defaults import DEFAULT_METHODS
from heatproof.options.planted import PlantedOptions


@app.command("planted", cls=StudyCommand)
def planted_command(
    *,
    context: typer.Context,
    place: RunPlace,
    given: Picturing,
    methods: MethodsOption = DEFAULT_METHODS,
    options: PlantedOptions,
    workers: Working,
) -> None:
    """Which heatmaps find evidence whose place is known: a photograph in a mosaic, or a patch? No labels needed.

    [bold]heatproof planted photos/ --methods lrp-alphabeta,sensitivity-l2,deconvolution-l2 --out RUN[/bold]
    """
    from heatproof.studies.planted import wanted_planted

    wanted = wanted_planted(options, methods, memory=given.memory)
    holding = "tables and figures, scores.parquet (every value), places.parquet, heatmaps.zarr"
    run_heatmaps_alone(context, wanted, place, given, workers, holding=holding)
