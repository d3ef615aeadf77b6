"""The trial of candidate protocols on a pilot, in this process and in memory."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from heatproof.data.source import GivenImages, Source
from heatproof.network.network import Network
from heatproof.perturbation.fitting import for_network
from heatproof.results.choice import Choice
from heatproof.studies.comparison import Comparison
from heatproof.studies.pilot import choice_of, trials
from heatproof.studies.road import driver
from heatproof.studies.road.collecting import gathered
from heatproof.studies.road.driver import Assignment, compute
from heatproof.studies.road.sinks import Memory
from heatproof.studies.watching import Progress


def chosen_protocol(
    assignment: Assignment, network: Network, source: Source, places: Sequence[int], progress: Progress
) -> Choice | None:
    """Tries the candidates of an assignment on the images at these places; heatmaps are computed once.

    None if fewer than two of these images can be used.
    """
    pictures = assignment.askable(network, source.read(places))
    if len(pictures.images) < 2:
        return None
    shape = tuple(pictures.images.shape[1:])
    wanted = {
        name: replace(one, protocol=for_network(one.protocol, network, shape))
        for name, one in trials(assignment.wanted).items()
    }
    task = replace(assignment, wanted=next(iter(wanted.values()))).task(network, pictures)
    batches = [batch for _, batch in task.explained()]
    maps = {name: torch.cat([batch.heatmaps[name] for batch in batches]) for name in task.names}
    given = GivenImages(pictures.images, pictures.names)
    found: dict[str, Comparison] = {}
    for name, one in wanted.items():
        trial = Assignment(
            replace(one, methods=maps, protocol=one.protocol.fitted(pictures.images)),
            load=lambda: (network, given),
            order=range(len(pictures.images)),
            sink=Memory(len(pictures.images), driver.SIZE, ()),
            targets=torch.cat([batch.targets for batch in batches]),
        )
        progress.begin(trial.task(network, given.read(range(len(pictures.images)))).evaluations)
        compute(trial, None, progress)
        found[name] = gathered(trial, network.describe())
    return choice_of(found, places)
