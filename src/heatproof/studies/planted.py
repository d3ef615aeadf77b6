"""Which heatmaps find evidence whose place is known?"""

from dataclasses import fields, replace

from torch import Tensor

from heatproof.data.source import GivenImages, Source
from heatproof.errors import InputError
from heatproof.heatmaps.control_methods import kind_of_control
from heatproof.network.network import Network
from heatproof.options.planted import PlantedArguments, PlantedOptions
from heatproof.options.signatures import takes
from heatproof.perturbation import Protocol
from heatproof.report.studies.about import GALLERY_IMAGES
from heatproof.runs.planted_record import Planted
from heatproof.studies.computed import computed_only
from heatproof.studies.planted_truth import PlantedTruth
from heatproof.studies.planting.settling import plant, planted_in
from heatproof.studies.road import driver
from heatproof.studies.road.collecting import collected
from heatproof.studies.road.driver import Assignment, compute
from heatproof.studies.road.sinks import Memory
from heatproof.studies.task import Methods, labelled
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress


@takes(PlantedArguments)
def planted(network: Network, images: Tensor, options: PlantedArguments) -> PlantedTruth:
    """Measures how well heatmaps find evidence whose place is known [Boehle2021].

    A mosaic has photographs of different classes in its tiles. For each tile whose class the network still sees in the
    whole mosaic, the heatmap of that class is computed, which should lie in that tile. Or a patch is pasted into the
    photographs, and a linear head that is fitted on half of them makes the network depend on it; heatmaps of the other
    half should lie in the patch. Measured are the share of positive relevance in the right place, and whether the
    largest value lies there (the pointing game [Zhang2016]). A map that knows nothing gets the place's share of the
    pixels. Values are averaged over the tiles of a mosaic first: intervals and tests are over pictures. No labels are
    needed.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        options: one argument for each of them.

    Returns:
        A ``PlantedTruth``: ``.estimates``, ``.table()``, ``.verdict``, ``.figures()``, ``.report(path)``,
        ``.save(folder)``.

    Raises:
        InputError: if the photographs have too few classes for a mosaic, or the network sees none of them in it; if it
            hardly sees the patch.

    >>> import torch
    >>> from torch import nn
    >>> _ = torch.manual_seed(0)
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 4)))
    >>> truth = planted(network, torch.rand(8, 3, 18, 18), ["lrp-epsilon"], targets=torch.arange(8) % 4)
    >>> len(truth.planted.places), truth.values["share"]["lrp-epsilon"].shape
    (8, (2,))
    """
    network.check(images)
    wanted = wanted_planted(options, options.methods, memory=options.memory)
    source = GivenImages(images, labelled(options.names, images))
    found = planted_by(wanted, network, source, targets=options.targets)
    truth = planted_truth(network, source, wanted, found, Progress(options.on_progress))
    skipped = (*options.skipped, *truth.planted.skipped)
    return replace(truth, planted=truth.planted.model_copy(update={"skipped": skipped}))


def planted_by(wanted: Wanted, network: Network, source: Source, *, targets: Tensor | int | None = None) -> Planted:
    """What is planted into the photographs of a source.

    Args:
        wanted: as ``wanted_planted`` makes it.
        network: the classifier.
        source: of the photographs.
        targets: (N,) classes of the photographs, for mosaics; by default the predicted ones.

    Raises:
        InputError: if the photographs do not allow it.
    """
    assert wanted.planted is not None
    return plant(network, source, wanted.planted, memory=wanted.protocol.memory, targets=targets)


def planted_truth(network: Network, source: Source, wanted: Wanted, found: Planted, progress: Progress) -> PlantedTruth:
    """How well heatmaps find what was planted into the photographs of a source; kept in this process.

    Args:
        network: the classifier.
        source: of the photographs.
        wanted: as ``wanted_planted`` makes it.
        found: what was planted.
        progress: counts heatmaps.
    """
    explained, pictures = planted_in(network, source, found)
    count = len(pictures.names)
    sink = Memory(count, driver.SIZE, range(min(count, GALLERY_IMAGES)))
    assignment = Assignment(wanted, lambda: (explained, pictures), range(count), sink, planted=found)
    progress.begin(count)
    compute(assignment, None, progress)
    return PlantedTruth(collected(assignment, explained, pictures, progress), found)


def wanted_planted(options: PlantedOptions, methods: Methods, *, memory: int) -> Wanted:
    """What these options ask for: a comparison that removes nothing.

    Raises:
        InputError: for heatmaps that are there already, which are not those of the pictures that will be made.
    """
    named = computed_only(methods, "the pictures that are made now")
    planting = PlantedOptions(**{one.name: getattr(options, one.name) for one in fields(PlantedOptions)})
    protocol = Protocol(seed=options.seed, memory=memory)
    return Wanted(methods=named, protocol=protocol, show=GALLERY_IMAGES, removes=False, planted=planting)


def wanted_witness(comparison: Wanted) -> Wanted:
    """Mosaics for the methods of a comparison that are computed, without its controls.

    Raises:
        InputError: if there is none: precomputed heatmaps do not belong to mosaics.
    """
    methods = {
        name: method
        for name, method in comparison.methods.items()
        if not kind_of_control(name) and (isinstance(method, str) or callable(method))
    }
    if not methods:
        raise InputError("planted needs a method that is computed: precomputed heatmaps do not belong to mosaics")
    protocol = comparison.protocol
    return wanted_planted(PlantedOptions(seed=protocol.seed), methods, memory=protocol.memory)
