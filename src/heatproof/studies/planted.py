"""Which heatmaps find a class where it is: in mosaics of photographs the right place is known."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps.explaining import OwnMethod, explain_batches
from heatproof.measures.planted import pointing_game, positive_share
from heatproof.network.inputs import as_targets, check_classes
from heatproof.network.network import Network
from heatproof.options.signatures import takes
from heatproof.options.studies import PlantedArguments
from heatproof.randomness import identify
from heatproof.report import Table
from heatproof.report.studies import planted as told
from heatproof.report.studies.about import GALLERY_IMAGES
from heatproof.results.chosen import Chosen
from heatproof.results.planted import QUANTITIES, PlantedResult
from heatproof.runs.objects import Store
from heatproof.runs.run_record import SAVED
from heatproof.runs.serialization import write_record
from heatproof.studies.mosaics import assembled, drawn_mosaics, tile_map
from heatproof.studies.study import Study
from heatproof.studies.task import Methods, labelled, named_methods
from heatproof.studies.watching import Progress

MEASURES = dict(zip(QUANTITIES, (positive_share, pointing_game), strict=True))
AT_ONCE = 32  # classes in mosaics, whose heatmaps are held at a time


class PlantedTruth(PlantedResult, Study):
    """How well the heatmaps of several methods find the right tile of mosaics.

    ``table()`` has, for each method, the share of positive relevance in the right tile and how often the largest value
    lies there, with 95 % intervals over mosaics and tests against chance; higher is better.

    Attributes:
        network: description of the network, with a hash of its weights.
        names: (N) of the photographs.
        classes: (N) names of the classes that are looked for, the predicted ones by default.
        targets: (N,) their indices.
        photographs: (M, T) which photograph lies in each tile of each mosaic; tiles row by row.
        probabilities: (M, T) what the network gives, on the whole mosaic, to the class of each tile.
        chance_of_tiles: (T,) share of the pixels, which a constant map gets.
        measured: (S,) by quantity ("share", "pointing") and method, of each class that the network sees.
        without_evidence: how many heatmaps of a method have no positive relevance.
        shown: the first mosaics with their heatmaps.
        grid: tiles on a side.
        seen: probability above which the network sees a class.
        seed: of the mosaics.
        notes: what a reader must know about the network.
        skipped: names of pictures that could not be used, each with the reason.
    """

    code = "truth = hp.planted(…)"
    told = told

    def differences_table(self) -> Table:
        """Paired differences between methods, with intervals and corrected p-values."""
        return told.differences_table(self)

    def frames(self) -> dict[str, pl.DataFrame]:
        """Also which photograph lies in which tile."""
        return {"scores": self.frame(), "mosaics": self.mosaics_frame()}

    def keep(self, store: Store) -> None:
        """Writes nothing: all that there is stands in tables."""

    def write_results(self, store: Store, reproduce: str) -> None:
        """Writes tables, figures, the page, and the record of a study that is saved at once."""
        for name, content in self.derived(reproduce=reproduce).items():
            store.put(name, content)
        write_record(store, self.describe() | {"schema": SAVED, "reproduce": reproduce or self.code})


@takes(PlantedArguments)
def planted(network: Network, images: Tensor, options: PlantedArguments) -> PlantedTruth:
    """Measures how well heatmaps find a class where it is known to be, in mosaics of photographs [Boehle2021].

    A mosaic has photographs of different classes in its tiles, each scaled down. For each tile whose class the network
    still sees in the whole mosaic, the heatmap of that class is computed on the mosaic. Measured are the share of its
    positive relevance in the right tile, and whether its largest value lies there (the pointing game [Zhang2016]). A
    map that knows nothing gets 1 / grid². Values are averaged over the tiles of a mosaic first: intervals and tests are
    over mosaics. Labels are not needed.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        options: one argument for each of them.

    Returns:
        A ``PlantedTruth``: ``.table()``, ``.verdict``, ``.figures()``, ``.report(path)``, ``.save(folder)``.

    Raises:
        InputError: if the photographs have too few classes for a mosaic, or the network sees none of them in it.

    >>> from torch import nn
    >>> _ = torch.manual_seed(0)
    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 4)))
    >>> truth = planted(network, torch.rand(8, 3, 18, 18), ["lrp-epsilon"], targets=torch.arange(8) % 4)
    >>> truth.photographs.shape, truth.values["share"]["lrp-epsilon"].shape
    ((2, 4), (2,))
    """
    methods, names = computed_methods(options.methods), labelled(options.names, images)
    network.check(images)
    targets = _targets(network, images, options).cpu()
    photographs = drawn_mosaics(identify(images), targets.tolist(), grid=options.grid, seed=options.seed)
    mosaics, wanted = assembled(images, photographs, options.grid), targets[torch.from_numpy(photographs)]
    probabilities = _probabilities(network, mosaics, wanted, options.memory)
    places = np.argwhere(probabilities > options.seen)
    if not len(places):
        raise InputError(
            f"the network sees no class in its mosaics: all probabilities are {options.seen:g} or less, the largest is "
            f"{probabilities.max():.3g}; give more photographs, or a smaller seen"
        )
    tiles = tile_map(mosaics.shape[2], mosaics.shape[3], options.grid)
    found = _Measured(methods, places)
    progress = Progress(options.on_progress)
    progress.begin(len(places))
    for some, heatmaps in _explained(network, mosaics, wanted, places, methods, options.memory):
        found.add(some, heatmaps, tiles)
        progress.add(some.stop - some.start)
    without_graph = network.without_graph(tuple(images.shape[1:]))
    return PlantedTruth(
        network=network.describe(),
        names=names,
        classes=tuple(map(network.class_name, targets.tolist())),
        targets=targets.numpy(),
        photographs=photographs,
        probabilities=probabilities,
        chance_of_tiles=np.bincount(tiles.ravel()) / tiles.size,
        measured=found.joined(),
        without_evidence=found.without_evidence,
        shown=found.chosen(mosaics),
        grid=options.grid,
        seen=options.seen,
        seed=options.seed,
        notes=(*network.notes, *([without_graph] if without_graph else [])),
        skipped=tuple(options.skipped),
    )


def computed_methods(methods: Methods) -> dict[str, str | OwnMethod]:
    """Methods by name; refuses heatmaps that are there already, which are not those of mosaics."""
    computed: dict[str, str | OwnMethod] = {}
    for name, method in named_methods(methods).items():
        if not (isinstance(method, str) or callable(method)):
            raise InputError(
                f"{name}: expected the name of a method or a callable (network, images, targets), got heatmaps; those "
                "of photographs are none of their mosaics"
            )
        computed[name] = method
    return computed


def _targets(network: Network, images: Tensor, options: PlantedArguments) -> Tensor:
    if options.targets is None:
        return network.predict(images, memory=options.memory)
    targets = as_targets(options.targets, len(images))
    check_classes(targets, network.trial(tuple(images.shape[1:])).classes)
    return targets


def _probabilities(network: Network, mosaics: Tensor, targets: Tensor, memory: int) -> np.ndarray:
    """(M, T) probability of each tile's class on the whole mosaic."""
    size = network.batch_size(tuple(mosaics.shape[1:]), memory)
    logits = torch.cat([network.logits(batch).double().cpu() for batch in mosaics.split(size)])
    probabilities: np.ndarray = logits.softmax(dim=1).gather(1, targets).numpy()
    return probabilities


def _explained(
    network: Network,
    mosaics: Tensor,
    targets: Tensor,
    places: np.ndarray,
    methods: Mapping[str, str | OwnMethod],
    memory: int,
) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """Batch by batch: which of the (S, 2) mosaics and tiles, and the heatmaps of their classes by method."""
    done = 0
    for start in range(0, len(places), AT_ONCE):
        rows, tiles = torch.from_numpy(places[start : start + AT_ONCE]).T
        images = mosaics[rows.to(mosaics.device)]
        for batch in explain_batches(network, images, methods, targets=targets[rows, tiles], memory=memory):
            some = slice(done, done + len(batch.targets))
            yield some, {name: maps.double().cpu().numpy() for name, maps in batch.heatmaps.items()}
            done = some.stop


@dataclass
class _Measured:
    """What is kept of the heatmaps of mosaics, batch by batch."""

    methods: Mapping[str, str | OwnMethod]
    places: np.ndarray

    def __post_init__(self) -> None:
        self.parts: dict[str, dict[str, list[np.ndarray]]] = {
            quantity: {name: [] for name in self.methods} for quantity in MEASURES
        }
        self.without_evidence = dict.fromkeys(self.methods, 0)
        self.numbers = np.unique(self.places[:, 0], return_index=True)[1][:GALLERY_IMAGES].tolist()  # one of a mosaic
        self.maps: dict[str, list[Tensor]] = {name: [] for name in self.methods}

    def add(self, some: slice, heatmaps: Mapping[str, np.ndarray], tiles: np.ndarray) -> None:
        """Measures the heatmaps of one batch."""
        inside = tiles == self.places[some, 1][:, None, None]  # (B, H, W)
        shown = [number - some.start for number in self.numbers if some.start <= number < some.stop]
        for name, maps in heatmaps.items():
            for quantity, measure in MEASURES.items():
                self.parts[quantity][name].append(measure(maps, inside))
            self.without_evidence[name] += int((maps <= 0).all(axis=(1, 2)).sum())
            self.maps[name].append(torch.from_numpy(maps[shown]).float())

    def joined(self) -> dict[str, dict[str, np.ndarray]]:
        """(S,) by quantity and method."""
        return {
            quantity: {name: np.concatenate(parts) for name, parts in methods.items()}
            for quantity, methods in self.parts.items()
        }

    def chosen(self, mosaics: Tensor) -> Chosen:
        """The first mosaics, with the heatmaps of the first class that is seen in each."""
        images = mosaics[self.places[self.numbers, 0].tolist()].cpu()
        return Chosen(tuple(self.numbers), images, {name: torch.cat(parts) for name, parts in self.maps.items()})
