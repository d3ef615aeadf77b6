"""``heatproof compare``."""

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from heatproof import runs, studies
from heatproof.cli.application import PARTIAL, app
from heatproof.cli.options import Explaining, Perturbing
from heatproof.cli.printing import print_study, progress, say
from heatproof.cli.spreading import spread


@app.command("compare")
@spread
def compare_command(
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; it appears whole or not at all.")],
    given: Explaining,
    perturbing: Perturbing,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in --out.")] = False,
) -> None:
    r"""Which heatmap method explains this network best, on these images?

    [bold]heatproof compare photos/ --out RUN[/bold]

    [bold]heatproof compare builtin --methods "lrp-epsilon,lrp-alphabeta\[alpha=1,beta=0]" --steps 40 --out RUN[/bold]
    """
    runs.check_free(out, overwrite=overwrite)
    network = given.load_network()
    pictures = given.read_pictures(network, seed=perturbing.seed)
    with progress("evaluations") as advance:
        study = studies.compare(
            network,
            pictures.images,
            given.method_names,
            **asdict(perturbing),
            memory=given.memory_bytes,
            names=pictures.names,
            skipped=pictures.skipped,
            on_progress=advance,
        )
    study.save(out, reproduce=shlex.join(["heatproof", *sys.argv[1:]]), overwrite=overwrite)
    print_study(study)
    say(f"\n{study.work}")
    say(f"Results: {out}/report.html (page), scores.parquet, heatmaps.zarr, figures as PNG and SVG")
    if pictures.skipped:
        raise typer.Exit(PARTIAL)
