"""``heatproof assess``."""

import re
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from heatproof import runs, studies
from heatproof.cli.application import PARTIAL, app
from heatproof.cli.options import Reading, Removing
from heatproof.cli.printing import print_study, progress, say, warn
from heatproof.cli.spreading import spread


@app.command("assess")
@spread
def assess_command(
    *,
    checkpoints: Annotated[
        list[Path], typer.Argument(help="Weights of one network, put in the order of the numbers in their names.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; it appears whole or not at all.")],
    given: Reading,
    method: Annotated[
        str, typer.Option("--method", "-m", help="Of the heatmaps; see 'heatproof list methods'.")
    ] = studies.DEFAULT_METHOD,
    removing: Removing,
    labels: Annotated[
        bool, typer.Option("--labels/--no-labels", help="Accuracy beside the rest, if the data set has labels.")
    ] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in --out.")] = False,
) -> None:
    """Which checkpoint of a network has the best heatmaps? Needs no labels; where the data set has them, they are used.

    [bold]heatproof assess run/step*.safetensors --network torchvision:resnet18 --data folder:photos --out RUN[/bold]

    [bold]heatproof assess run/*.pt --network model.py:Model --data cifar10:data --regions 4 --out RUN[/bold]
    """
    runs.check_free(out, overwrite=overwrite)
    ordered = sorted(checkpoints, key=_in_order)
    network = given.load_network(weights=str(ordered[0]))
    pictures = given.read_pictures(network, seed=removing.seed)
    with progress("evaluations") as advance:
        study = studies.assess(
            network,
            ordered,
            pictures.images,
            method=method,
            labels=pictures.labels if labels else None,
            **asdict(removing),
            memory=given.memory_bytes,
            names=pictures.names,
            skipped=pictures.skipped,
            on_progress=advance,
        )
    if labels and pictures.classes and network.classes and pictures.classes != network.classes:
        warn(
            ["the data set names its classes otherwise than the network: the accuracy holds if their order is the same"]
        )
    study.save(out, reproduce=shlex.join(["heatproof", *sys.argv[1:]]), overwrite=overwrite)
    print_study(study)
    say(f"\n{study.work}")
    say(f"Results: {out}/report.html (page), scores.parquet, figures as PNG and SVG")
    if pictures.skipped:
        raise typer.Exit(PARTIAL)


def _in_order(path: Path) -> list[tuple[int, str]]:
    """So that step9 comes before step10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
