"""What is settled before the first shard: what is planted where, and which network and images come of it."""

from collections.abc import Callable

from torch import Tensor

from heatproof.data.source import Source
from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.options.planted import PlantedOptions
from heatproof.runs.planted_record import Planted
from heatproof.studies.planting.mosaics import plant_mosaics
from heatproof.studies.planting.patch import plant_patch, with_patch_head
from heatproof.studies.planting.source import PlantedSource


def plant(
    network: Network, source: Source, options: PlantedOptions, *, memory: int, targets: Tensor | int | None = None
) -> Planted:
    """What the options ask for, in photographs of a source; ``targets`` are their classes, by default the predicted.

    Raises:
        InputError: if the photographs do not allow it.
    """
    if options.kind == "patch":
        if targets is not None:
            raise InputError("targets are the classes of photographs in mosaics: leave them out with kind patch")
        return plant_patch(network, source, options, memory=memory)
    return plant_mosaics(network, source, options, memory=memory, targets=targets)


def planted_in(network: Network, source: Source, planted: Planted) -> tuple[Network, PlantedSource]:
    """The network whose heatmaps are to find what was planted, and the pictures that hold it."""
    pictures = PlantedSource(source, planted)
    if planted.patch is None:
        return network, pictures
    shape = (planted.channels, planted.height, planted.width)
    return with_patch_head(network, shape, planted.patch), pictures


def with_planted(load: Callable[[], tuple[Network, Source]], planted: Planted) -> tuple[Network, Source]:
    """What ``load`` gives, with what was planted; called in every process that works on a run."""
    return planted_in(*load(), planted)
