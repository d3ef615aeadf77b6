"""``heatproof assess``."""

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.options import Reading
from heatproof.cli.places import RunPlace
from heatproof.cli.printing import warn
from heatproof.cli.results import deliver
from heatproof.cli.study_file import StudyCommand, settings_of
from heatproof.cli.working import HERE, Working
from heatproof.options.option import Option
from heatproof.options.studies import AssessOptions

if TYPE_CHECKING:
    from heatproof.data import Dataset
    from heatproof.network import Network


@app.command("assess", cls=StudyCommand)
def assess_command(
    *,
    context: typer.Context,
    checkpoints: Annotated[
        list[Path],
        Option("Weight files of one network, sorted by the numbers in their names.", positional=True),
    ],
    place: RunPlace,
    given: Reading,
    options: AssessOptions,
    workers: Working,
    labels: Annotated[bool, Option("Add the accuracy, if the data set has labels.", negative="no-labels")] = True,
) -> None:
    """Which checkpoint of a network has the best heatmaps? Needs no labels; where the data set has them, they are used.

    [bold]heatproof assess run/step*.safetensors --network torchvision:resnet18 --data folder:photos --out RUN[/bold]

    [bold]heatproof assess run/*.pt --network model.py:Model --data cifar10:data --regions 4 --out RUN[/bold]
    """
    from heatproof.studies.assess import wanted_assessment
    from heatproof.studies.road.cell_runs import run_cells

    settings, ordered = settings_of(context), sorted(checkpoints, key=_in_order)
    with place.held(context) as store:
        topology, dataset = given.load_network(weights=str(ordered[0])), given.dataset(seed=options.seed)
        warn([note for note in dataset.notes if labels or not note.startswith("no labels")])
        names = [member.name for member in dataset.members]
        known = dict(zip(names, dataset.labels, strict=True)) if labels and dataset.labels else None
        here = partial(other_weights, topology, dataset)
        opened = here if workers.on == HERE else partial(checkpoint, given, options.seed)
        wanted = wanted_assessment(options, ordered, topology.name, opened, known)
        with workers.execution(place, device=given.device) as execution:
            study = run_cells(wanted, store, settings, execution)
    if known and dataset.classes and topology.classes and dataset.classes != topology.classes:
        warn(["class names differ between data set and network: the accuracy holds if classes have the same order"])
    deliver(study, place, holding="tables, figures, scores.parquet, cells/ (a run for each checkpoint)")


def checkpoint(given: Reading, seed: int, name: str, weights: Path) -> "tuple[Network, Dataset]":
    """The network with the weights of a checkpoint, and the data set; called in every process that works on a run."""
    return other_weights(given.network_of(weights=str(weights)), given.dataset(seed=seed), name, weights)


def other_weights(topology: "Network", dataset: "Dataset", name: str, weights: Path) -> "tuple[Network, Dataset]":
    """The network with the weights of a checkpoint and its name, and the data set."""
    from heatproof.studies.assess import loaded

    return loaded(topology, name, weights), dataset


def _in_order(path: Path) -> list[tuple[int, str]]:
    """Sort key by which step9 comes before step10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
