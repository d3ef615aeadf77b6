"""``heatproof assess``."""

import re
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.names import one_of
from heatproof.cli.opening import Open
from heatproof.cli.options import Reading
from heatproof.cli.perturbing import Removing
from heatproof.cli.places import Overwrite, RunPlace, command_line, written_to
from heatproof.cli.printing import progress, warn
from heatproof.cli.results import deliver
from heatproof.cli.spreading import spread
from heatproof.cli.study_file import StudyCommand, resolved, settings_of
from heatproof.cli.working import Working
from heatproof.defaults import DEFAULT_METHOD

if TYPE_CHECKING:
    from heatproof.data import Dataset
    from heatproof.network import Network


@app.command("assess", cls=StudyCommand)
@spread
def assess_command(
    *,
    context: typer.Context,
    checkpoints: Annotated[
        list[Path], typer.Argument(help="Weights of one network, put in the order of the numbers in their names.")
    ],
    out: RunPlace,
    given: Reading,
    method: Annotated[
        str,
        typer.Option(
            "--method", "-m", help="Of the heatmaps; see 'heatproof list methods'.", autocompletion=one_of("methods")
        ),
    ] = DEFAULT_METHOD,
    removing: Removing,
    workers: Working,
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
    from heatproof.perturbation import Protocol
    from heatproof.studies.assess import wanted_assessment
    from heatproof.studies.road.cell_runs import run_cells

    crew, settings, ordered = workers.maker(), settings_of(context), sorted(checkpoints, key=_in_order)
    with written_to(context, out, overwrite=overwrite, resumes=True) as store:
        topology, dataset = given.load_network(weights=str(ordered[0])), given.dataset(seed=removing.seed)
        warn([note for note in dataset.notes if labels or not note.startswith("no labels")])
        names = [member.name for member in dataset.members]
        known = dict(zip(names, dataset.labels, strict=True)) if labels and dataset.labels else None
        wanted = wanted_assessment(
            ordered,
            method,
            Protocol(**asdict(removing), memory=given.memory_bytes),
            partial(checkpoint, given, removing.seed) if crew else partial(other_weights, topology, dataset),
            known,
            settings,
            resolved(settings),
        )
        with progress("evaluations") as advance:
            study = run_cells(
                wanted, store, workers=crew, anew=overwrite, on_progress=advance, reproduce=command_line()
            )
    if known and dataset.classes and topology.classes and dataset.classes != topology.classes:
        warn(
            ["the data set names its classes otherwise than the network: the accuracy holds if their order is the same"]
        )
    deliver(study, out, holding="tables, figures, scores.parquet, cells/ (a run for each checkpoint)", opened=opened)


def checkpoint(given: Reading, seed: int, name: str, weights: Path) -> "tuple[Network, Dataset]":
    """The network with the weights of a checkpoint, and the data set; called in every process that works on a run."""
    return other_weights(given.network_of(weights=str(weights)), given.dataset(seed=seed), name, weights)


def other_weights(topology: "Network", dataset: "Dataset", name: str, weights: Path) -> "tuple[Network, Dataset]":
    """The network with the weights of a checkpoint and its name, and the data set."""
    from heatproof.studies.assess import loaded

    return loaded(topology, name, weights), dataset


def _in_order(path: Path) -> list[tuple[int, str]]:
    """So that step9 comes before step10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
