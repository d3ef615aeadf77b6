"""``heatproof randomisation``."""

import typer

from heatproof.cli.application import app
from heatproof.cli.explaining import MethodsOption
from heatproof.cli.heatmaps_alone import run_heatmaps_alone
from heatproof.cli.options import Picturing
from heatproof.cli.places import RunPlace
from heatproof.cli.study_file import StudyCommand
from heatproof.cli.working import Working
from heatproof.defaults import DEFAULT_METHODS
from heatproof.options.changing import RandomisationOptions


@app.command("randomisation", cls=StudyCommand)
def randomisation_command(
    *,
    context: typer.Context,
    place: RunPlace,
    given: Picturing,
    methods: MethodsOption = DEFAULT_METHODS,
    options: RandomisationOptions,
    workers: Working,
) -> None:
    """Do heatmaps follow the weights, which are shuffled layer by layer from the output to the input?

    [bold]heatproof randomisation photos/ --methods lrp-alphabeta,sensitivity-l2,centre-gaussian --out RUN[/bold]
    """
    from heatproof.studies.changing.asking import wanted_changing

    wanted = wanted_changing(options, methods, memory=given.memory)
    run_heatmaps_alone(context, wanted, place, given, workers)
