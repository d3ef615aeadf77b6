"""The options of studies that change the image or the network and look at the heatmaps again, as in ``studies.py``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from heatproof.bounds import DRAWS, LAYERS, NOISE, SEED, SHARE, SHIFT
from heatproof.defaults import DEFAULT_MEMORY, DEFAULT_METHODS
from heatproof.errors import InputError
from heatproof.options.option import Argument, Bounded, Option
from heatproof.options.perturbing import MemoryOption
from heatproof.options.studies import InMemory, TargetsArgument
from heatproof.registry import unknown

if TYPE_CHECKING:
    from heatproof.heatmaps.explaining import OwnMethod

    Methods = Sequence[str] | Mapping[str, str | OwnMethod]


@dataclass(frozen=True, kw_only=True)
class StabilityOptions(Bounded):
    """Options of ``heatproof.stability`` and ``heatproof stability``."""

    study: ClassVar[str] = "stability"

    noise: Annotated[
        float,
        Option("Standard deviation of the Gaussian noise that is added to pixels, which lie in [0, 1].", bounds=NOISE),
    ] = 0.01
    shift: Annotated[int, Option("Number of pixels by which images are shifted.", bounds=SHIFT)] = 2
    draws: Annotated[
        int, Option("Number of noisy images, and number of shifted ones, that are made of each image.", bounds=DRAWS)
    ] = 4
    tolerance: Annotated[
        float,
        Option(
            "Changed images count if the predicted class stays, and the target's logit changes by at most this share "
            "of it.",
            bounds=SHARE,
        ),
    ] = 0.1
    seed: Annotated[int, Option("Seed of noise and shifts, and of a sample of images.", bounds=SEED)] = 0


@dataclass(frozen=True, kw_only=True)
class RandomisationOptions(Bounded):
    """Options of ``heatproof.randomisation`` and ``heatproof randomisation``."""

    study: ClassVar[str] = "randomisation"

    groups: Annotated[
        int,
        Option(
            "Number of groups of layers whose weights are shuffled one after the other, from the output to the input; "
            "each layer is one if there are fewer.",
            bounds=LAYERS,
        ),
    ] = 10
    seed: Annotated[int, Option("Seed of the shuffled weights, and of a sample of images.", bounds=SEED)] = 0


Changing = StabilityOptions | RandomisationOptions
CHANGING: Mapping[str, type[Changing]] = {one.study: one for one in (StabilityOptions, RandomisationOptions)}


def changing_described(options: Changing) -> dict[str, Any]:
    """The options with the name of their study, as JSON-able values."""
    return {"study": options.study, **asdict(options)}


def changing_read(said: Mapping[str, Any]) -> Changing:
    """The options that ``changing_described`` wrote.

    Raises:
        InputError: for a study that does not change anything, or numbers out of bounds.
        TypeError: for unknown options.
    """
    given = dict(said)
    study = given.pop("study", None)
    if study not in CHANGING:
        raise InputError(unknown("study", str(study), list(CHANGING)))
    return CHANGING[study](**given)


@dataclass(frozen=True, kw_only=True)
class ChangingArguments(InMemory):
    """Arguments of studies that compute heatmaps of what was changed."""

    methods: Annotated[
        "Methods",
        Argument(
            "names (``heatproof list methods``), or a mapping from a name that you choose to a method's name or a "
            "callable ``(network, images, targets) -> (N, H, W)``, which is also asked about what was changed."
        ),
    ] = field(default=DEFAULT_METHODS, kw_only=False)
    targets: TargetsArgument = None
    memory: MemoryOption = DEFAULT_MEMORY


@dataclass(frozen=True, kw_only=True)
class StabilityArguments(StabilityOptions, ChangingArguments):
    """Arguments of ``heatproof.stability``."""


@dataclass(frozen=True, kw_only=True)
class RandomisationArguments(RandomisationOptions, ChangingArguments):
    """Arguments of ``heatproof.randomisation``."""
