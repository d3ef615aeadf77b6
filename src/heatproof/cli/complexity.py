"""``heatproof complexity``."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from heatproof import runs, studies
from heatproof.cli.application import PARTIAL, app
from heatproof.cli.options import Explaining
from heatproof.cli.printing import print_study, progress, say
from heatproof.cli.spreading import spread


@app.command("complexity")
@spread
def complexity_command(
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; it appears whole or not at all.")],
    given: Explaining,
    seed: Annotated[int, typer.Option(help="Of the sample of --images.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in --out.")] = False,
) -> None:
    """How complex are the heatmaps of each method: file sizes as PNG and JPEG, entropy, sparsity?

    [bold]heatproof complexity photos/ --methods lrp-alphabeta,sensitivity-l2,deconvolution-l2 --out RUN[/bold]
    """
    runs.check_free(out, overwrite=overwrite)
    network = given.load_network()
    pictures = given.read_pictures(network, seed=seed)
    with progress("images") as advance:
        study = studies.complexity(
            network,
            pictures.images,
            given.method_names,
            memory=given.memory_bytes,
            names=pictures.names,
            skipped=pictures.skipped,
            on_progress=advance,
        )
    study.save(out, reproduce=shlex.join(["heatproof", *sys.argv[1:]]), overwrite=overwrite)
    print_study(study)
    say(f"\nResults: {out}/report.html (page), scores.parquet (every value), figures as PNG and SVG")
    if pictures.skipped:
        raise typer.Exit(PARTIAL)
