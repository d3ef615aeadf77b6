"""``heatproof planted``."""

from collections.abc import Sequence
from typing import Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.explaining import METHOD_FILE
from heatproof.cli.options import Picturing
from heatproof.cli.places import RunPlace
from heatproof.cli.results import deliver
from heatproof.cli.study_file import StudyCommand, settings_of
from heatproof.cli.working import Working
from heatproof.defaults import DEFAULT_METHODS
from heatproof.options.names import some_methods
from heatproof.options.option import Option
from heatproof.options.planted import PlantedOptions


@app.command("planted", cls=StudyCommand)
def planted_command(
    *,
    context: typer.Context,
    place: RunPlace,
    given: Picturing,
    methods: Annotated[
        Sequence[str],
        Option(
            "Methods, separated by commas; see 'heatproof list methods'. FILE.py:function runs your code.",
            short="-m",
            metavar="NAMES",
            complete=some_methods,
            several=True,
            path=METHOD_FILE,
        ),
    ] = DEFAULT_METHODS,
    options: PlantedOptions,
    workers: Working,
) -> None:
    """Which heatmaps find evidence whose place is known: a photograph in a mosaic, or a patch? No labels needed.

    [bold]heatproof planted photos/ --methods lrp-alphabeta,sensitivity-l2,deconvolution-l2 --out RUN[/bold]
    """
    from heatproof.studies.planted import wanted_planted
    from heatproof.studies.road.running import run_comparison

    settings = settings_of(context)
    wanted = wanted_planted(options, methods, memory=given.memory)
    with place.held(context) as store:
        opened = workers.opened_by(given, options.seed)
        with workers.execution(place, unit="heatmaps") as execution:
            study = run_comparison(wanted, opened, store, settings, execution)
    deliver(study, place, holding="tables and figures, scores.parquet (every value), places.parquet, heatmaps.zarr")
