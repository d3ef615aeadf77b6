"""``heatproof assess``."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.names import one_of
from heatproof.cli.opening import Open
from heatproof.cli.options import Reading
from heatproof.cli.perturbing import Removing
from heatproof.cli.places import Out, Overwrite, command_line, written_to
from heatproof.cli.printing import progress, warn
from heatproof.cli.results import deliver
from heatproof.cli.spreading import spread
from heatproof.cli.study_file import StudyCommand
from heatproof.defaults import DEFAULT_METHOD


@app.command("assess", cls=StudyCommand)
@spread
def assess_command(
    *,
    context: typer.Context,
    checkpoints: Annotated[
        list[Path], typer.Argument(help="Weights of one network, put in the order of the numbers in their names.")
    ],
    out: Out,
    given: Reading,
    method: Annotated[
        str,
        typer.Option(
            "--method", "-m", help="Of the heatmaps; see 'heatproof list methods'.", autocompletion=one_of("methods")
        ),
    ] = DEFAULT_METHOD,
    removing: Removing,
    labels: Annotated[
        bool, typer.Option("--labels/--no-labels", help="Accuracy beside the rest, if the data set has labels.")
    ] = True,
    overwrite: Overwrite = False,
    opened: Open = False,
) -> None:
    """Which checkpoint of a network has the best heatmaps? Needs no labels; where the data set has them, they are used.

    [bold]heatproof assess run/step*.safetensors --network torchvision:resnet18 --data folder:photos --out RUN[/bold]

    [bold]heatproof assess run/*.pt --network model.py:Model --data cifar10:data --regions 4 --out RUN[/bold]
    """
    from heatproof import studies

    with written_to(context, out, overwrite=overwrite) as store:
        ordered = sorted(checkpoints, key=_in_order)
        network = given.load_network(weights=str(ordered[0]))
        pictures = given.read_pictures(network, seed=removing.seed, labels=labels)
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
        study.write(store, reproduce=command_line())
    if labels and pictures.classes and network.classes and pictures.classes != network.classes:
        warn(
            ["the data set names its classes otherwise than the network: the accuracy holds if their order is the same"]
        )
    deliver(study, pictures, out, holding="scores.parquet", work=study.work, opened=opened)


def _in_order(path: Path) -> list[tuple[int, str]]:
    """So that step9 comes before step10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
