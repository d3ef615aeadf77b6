"""The options of ``planted``, and the arguments of its function, declared as in ``studies.py``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from heatproof.bounds import GRID, PROBABILITY, SEED, TWICE
from heatproof.defaults import DEFAULT_MEMORY, DEFAULT_METHODS, SEEN
from heatproof.errors import InputError
from heatproof.options.names import among
from heatproof.options.option import Argument, Bounded, Option
from heatproof.options.perturbing import MemoryOption
from heatproof.options.studies import InMemory
from heatproof.registry import unknown

if TYPE_CHECKING:
    from torch import Tensor

    from heatproof.heatmaps.explaining import OwnMethod

    Methods = Sequence[str] | Mapping[str, str | OwnMethod]

KINDS = ("mosaics", "patch")


@dataclass(frozen=True, kw_only=True)
class PlantedOptions(Bounded):
    """Options of ``heatproof.planted`` and ``heatproof planted``."""

    kind: Annotated[
        str,
        Option(
            "What is planted: photographs as tiles of mosaics, of which heatmaps are to find the right one (mosaics), "
            "or a patch, on which a new last layer makes the network depend (patch).",
            python="what is planted: photographs as tiles of mosaics, of which heatmaps are to find the right one "
            '("mosaics"), or a patch, on which a new last layer makes the network depend ("patch").',
            metavar="mosaics|patch",
            complete=among(KINDS),
        ),
    ] = "mosaics"
    grid: Annotated[int, Option("Number of tiles on a side of a mosaic: 2 or 3.", bounds=GRID)] = 2
    enlarge: Annotated[
        int,
        Option(
            "Size of a mosaic: that of the network's images (1), or twice as many pixels a side (2).",
            bounds=TWICE,
        ),
    ] = 1
    seen: Annotated[
        float,
        Option(
            "Heatmaps of a class are measured where the network gives it a larger probability than this on the whole "
            "picture.",
            bounds=PROBABILITY,
        ),
    ] = SEEN
    seed: Annotated[int, Option("Seed of what is planted, and of a sample of images.", bounds=SEED)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in KINDS:
            raise InputError(unknown("kind", self.kind, KINDS))
        if self.kind == "patch" and (self.grid, self.enlarge) != (2, 1):
            raise InputError("grid and enlarge are options of mosaics: leave them out with kind patch")


@dataclass(frozen=True, kw_only=True)
class PlantedArguments(PlantedOptions, InMemory):
    """Arguments of ``heatproof.planted``."""

    methods: Annotated[
        "Methods",
        Argument(
            "names (``heatproof list methods``), or a mapping from a name that you choose to a method's name or a "
            "callable ``(network, images, targets) -> (N, H, W)``; ``images`` are the pictures in which something is "
            "planted, one for each target."
        ),
    ] = field(default=DEFAULT_METHODS, kw_only=False)
    targets: Annotated[
        "Tensor | int | None",
        Argument("(N,) class indices of the photographs, for mosaics; by default the predicted classes."),
    ] = None
    memory: MemoryOption = DEFAULT_MEMORY
