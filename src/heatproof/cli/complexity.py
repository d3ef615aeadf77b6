"""``heatproof complexity``."""

from typing import Annotated

import typer

from heatproof.bounds import SEED
from heatproof.cli.application import app
from heatproof.cli.explaining import Explaining
from heatproof.cli.places import RunPlace
from heatproof.cli.results import deliver
from heatproof.cli.study_file import StudyCommand, settings_of
from heatproof.cli.working import Working
from heatproof.options.option import Option


@app.command("complexity", cls=StudyCommand)
def complexity_command(
    *,
    context: typer.Context,
    place: RunPlace,
    given: Explaining,
    seed: Annotated[int, Option("Seed that draws the sample of --images.", bounds=SEED)] = 0,
    workers: Working,
) -> None:
    """How complex are the heatmaps of each method: file sizes as PNG and JPEG, entropy, sparsity?

    [bold]heatproof complexity photos/ --methods lrp-alphabeta,sensitivity-l2,deconvolution-l2 --out RUN[/bold]
    """
    from heatproof.studies.complexity import wanted_complexity
    from heatproof.studies.road.running import run_comparison

    settings = settings_of(context)
    wanted = wanted_complexity(given.methods_and_files(), memory=given.memory, seed=seed)
    with place.held(context) as store:
        opened = workers.opened_by(given, seed)
        with workers.execution(place, unit="images") as execution:
            study = run_comparison(wanted, opened, store, settings, execution)
    deliver(study, place, holding="tables and figures, scores.parquet (every value), heatmaps.zarr")
