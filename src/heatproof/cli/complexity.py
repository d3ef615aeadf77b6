"""``heatproof complexity``."""

from typing import Annotated

import typer

from heatproof.bounds import SEED
from heatproof.cli.application import app
from heatproof.cli.explaining import Explaining
from heatproof.cli.heatmaps_alone import run_heatmaps_alone
from heatproof.cli.places import RunPlace
from heatproof.cli.study_file import StudyCommand
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

    wanted = wanted_complexity(given.methods_and_files(), memory=given.memory, seed=seed)
    run_heatmaps_alone(context, wanted, place, given, workers, unit="images")
