"""What the options of both studies ask for, and the same computed in memory."""

from dataclasses import fields

from torch import Tensor

from heatproof.network.network import Network
from heatproof.options.changing import Changing, ChangingArguments
from heatproof.perturbation import Protocol
from heatproof.report.studies.about import GALLERY_IMAGES
from heatproof.studies.comparison import Comparison
from heatproof.studies.computed import computed_only
from heatproof.studies.road.in_memory import compared
from heatproof.studies.task import Methods
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress


def wanted_changing(changing: Changing, methods: Methods, *, memory: int) -> Wanted:
    """What these options ask for: a comparison that removes nothing.

    Raises:
        InputError: for heatmaps that are there already, which cannot be made again.
    """
    named = computed_only(methods, "images or networks that are changed now")
    protocol = Protocol(seed=changing.seed, memory=memory)
    return Wanted(methods=named, protocol=protocol, show=GALLERY_IMAGES, removes=False, changing=changing)


def changed_in_memory(network: Network, images: Tensor, kind: type[Changing], options: ChangingArguments) -> Comparison:
    """What became of the heatmaps of images (N, C, H, W) in [0, 1]."""
    changing = kind(**{one.name: getattr(options, one.name) for one in fields(kind)})
    return compared(
        network,
        images,
        wanted_changing(changing, options.methods, memory=options.memory),
        Progress(options.on_progress),
        targets=options.targets,
        names=options.names,
        skipped=options.skipped,
    )
