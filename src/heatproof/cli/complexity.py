"""``heatproof complexity``."""

from typing import Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.explaining import Explaining
from heatproof.cli.opening import Open
from heatproof.cli.places import Out, Overwrite, command_line, written_to
from heatproof.cli.printing import progress
from heatproof.cli.results import deliver
from heatproof.cli.spreading import spread
from heatproof.cli.study_file import StudyCommand


@app.command("complexity", cls=StudyCommand)
@spread
def complexity_command(
    *,
    context: typer.Context,
    out: Out,
    given: Explaining,
    seed: Annotated[int, typer.Option(help="Of the sample of --images.", min=0)] = 0,
    overwrite: Overwrite = False,
    opened: Open = False,
) -> None:
    """How complex are the heatmaps of each method: file sizes as PNG and JPEG, entropy, sparsity?

    [bold]heatproof complexity photos/ --methods lrp-alphabeta,sensitivity-l2,deconvolution-l2 --out RUN[/bold]
    """
    from heatproof import studies

    with written_to(context, out, overwrite=overwrite) as store:
        network = given.load_network()
        pictures = given.read_pictures(network, seed=seed)
        with progress("images") as advance:
            study = studies.complexity(
                network,
                pictures.images,
                given.methods_for(pictures),
                memory=given.memory_bytes,
                names=pictures.names,
                skipped=pictures.skipped,
                on_progress=advance,
            )
        study.write(store, reproduce=command_line())
    deliver(study, out, holding="scores.parquet (every value), figures as PNG and SVG", opened=opened)
