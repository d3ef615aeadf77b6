"""The options of each study, and the arguments of each function.

An option that is added here stands in the Python function, the command, study files, the record of a run, and the docs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from heatproof.bounds import PILOT
from heatproof.defaults import (
    CANDIDATES,
    DEFAULT_MEMORY,
    DEFAULT_METHOD,
    DEFAULT_METHODS,
    DEFAULT_REPLACEMENTS,
    PILOT_IMAGES,
    SHOWN,
)
from heatproof.options.names import among, one_of, some_of
from heatproof.options.option import Argument, Option
from heatproof.options.perturbing import (
    Evaluating,
    Examining,
    MemoryOption,
    OnProgress,
    OnTotal,
    Perturbing,
    Replacing,
    ScoreOption,
    Scoring,
)
from heatproof.options.texts import as_shown

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from heatproof.heatmaps.explaining import OwnMethod

    Methods = Sequence[str] | Mapping[str, str | OwnMethod | Tensor | Path]

TargetsArgument = Annotated[
    "Tensor | int | None",
    Argument("(N,) class indices, or one for all images; by default the predicted classes."),
]
MethodsArgument = Annotated[
    "Methods",
    Argument(
        "names (``heatproof list methods``), or a mapping from a name that you choose to a method's name, a callable "
        "``(network, images, targets) -> (N, H, W)``, precomputed heatmaps (N, H, W), or the ``Path`` of a "
        "file of them (``.npz``, ``.npy``, ``.zarr``, ``.safetensors``), where ``names`` finds those of each image."
    ),
]
MethodOption = Annotated[
    "str | OwnMethod | Tensor",
    Option(
        "Method that computes the heatmaps; see 'heatproof list methods'.",
        python="method that computes the heatmaps: a name, or a callable ``(network, images, targets) -> (N, H, W)``.",
        short="-m",
        complete=one_of("methods"),
    ),
]

PlantedOption = Annotated[
    bool,
    Option("Also test the methods on mosaics in which the place of the evidence is known, and compare rankings."),
]


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Examining):
    """Options of ``heatproof.compare`` and ``heatproof compare``."""

    until: Annotated[
        str | None,
        Option(
            "Add images in random order until it is decided which methods are above the random order (signs), or "
            "also how they rank (ranked).",
            python="add images in random order until it is decided whether each method is above or below the random "
            'order ("signs"), or also how the methods rank ("ranked"), with a family-wise error of 5 % over all looks. '
            "A method gets no more images once all its comparisons are decided.",
            metavar="signs|ranked",
            complete=among(("signs", "ranked")),
        ),
    ] = None
    indifference: Annotated[
        float | None,
        Option(
            "Differences below this count as none with --until, in the score's unit. Default: a tenth of the "
            "random order's AOPC at the first look.",
            python="differences below this count as none with ``until``, in the score's unit; by default a tenth of "
            "the random order's AOPC at the first look.",
        ),
    ] = None
    planted: PlantedOption = False
    show: Annotated[
        "int | str",
        Option(
            "Pictures that the page shows step by step: a number (the first ones), or names, separated by commas.",
            metavar="N|NAMES",
            parse=as_shown,
        ),
    ] = SHOWN


@dataclass(frozen=True, kw_only=True)
class PlanOptions(Examining):
    """Options of ``heatproof.plan_comparison`` and ``heatproof plan``."""

    half_width: Annotated[
        "float | str | None",
        Option(
            "Find the cheapest design that reaches this precision of what methods are compared by (ABPC, or AOPC above "
            "the random order): half the width of the 95 % interval, in the score's unit (0.25) or as a share of the "
            "random order's AOPC (5%).",
            metavar="NUMBER|PERCENT",
        ),
    ] = None
    budget: Annotated[
        "int | str | None",
        Option(
            "Find the most precise design within this number of evaluations (20000) or this time (10min).",
            metavar="NUMBER|TIME",
        ),
    ] = None
    pilot: Annotated[
        int,
        Option(
            "Number of images of the pilot for --half-width and --budget.",
            python="number of images of the pilot for ``half_width`` and ``budget``, drawn at random from the images.",
            bounds=PILOT,
        ),
    ] = PILOT_IMAGES
    planted: PlantedOption = False


@dataclass(frozen=True, kw_only=True)
class ReplacementsOptions(Scoring):
    """Options of ``heatproof.compare_replacements`` and ``heatproof replacements``."""

    replacements: Annotated[
        Sequence[str],
        Option(
            "Replacements, separated by commas; see 'heatproof list replacements'.",
            python="names with options (``heatproof list replacements``); by default the paper's four.",
            several=True,
            complete=some_of("replacements"),
        ),
    ] = field(default=DEFAULT_REPLACEMENTS, kw_only=False)
    method: MethodOption = DEFAULT_METHOD


@dataclass(frozen=True, kw_only=True)
class ProtocolsOptions(Evaluating):
    """Options of ``heatproof.compare_protocols`` and ``heatproof protocol``."""

    candidates: Annotated[
        Sequence[str],
        Option(
            "Protocols, separated by commas, with options in brackets; see 'heatproof list protocols'.",
            python="names of protocols that are symmetric, with options in brackets (``heatproof list protocols``).",
            several=True,
            complete=some_of("protocols"),
        ),
    ] = CANDIDATES
    score: ScoreOption = "logit"


@dataclass(frozen=True, kw_only=True)
class AssessOptions(Replacing):
    """Options of ``heatproof.assess`` and ``heatproof assess``."""

    method: MethodOption = DEFAULT_METHOD


@dataclass(frozen=True, kw_only=True)
class InMemory:
    """Arguments of a study of images in memory."""

    names: Annotated[Sequence[str] | None, Argument("names of the images, for tables and pictures.")] = None
    skipped: Annotated[
        Sequence[tuple[str, str]],
        Argument("pictures that could not be used, each with the reason; they are counted in the result."),
    ] = ()
    on_progress: Annotated[
        OnTotal | None,
        Argument("called with the number of network evaluations done, and their total number."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class PerturbArguments(Perturbing):
    """Arguments of ``heatproof.perturb``."""

    heatmaps: Annotated[
        "Tensor | None",
        Argument("heatmaps (N, H, W), which order the regions; needed for the orders morf and lerf only."),
    ] = field(default=None, kw_only=False)
    targets: TargetsArgument = None
    order: Annotated[
        "str | Tensor",
        Argument(
            '"morf" (most relevant first), "lerf" (least relevant first), "random" (a shuffle for each repeat), or '
            "region indices (N, L) or (N, repeats, L) in the order of removal."
        ),
    ] = "morf"
    ids: Annotated[
        Sequence[str] | None,
        Argument("identities that address the random draws; by default hashes of the images."),
    ] = None
    on_progress: Annotated[
        OnProgress | None, Argument("called with the number of network evaluations since the last call.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class CompareArguments(CompareOptions, InMemory):
    """Arguments of ``heatproof.compare``."""

    methods: MethodsArgument = field(default=DEFAULT_METHODS, kw_only=False)
    targets: TargetsArgument = None


@dataclass(frozen=True, kw_only=True)
class PlanArguments(PlanOptions):
    """Arguments of ``heatproof.plan_comparison``."""

    methods: MethodsArgument = field(default=DEFAULT_METHODS, kw_only=False)
    targets: TargetsArgument = None


@dataclass(frozen=True, kw_only=True)
class ReplacementsArguments(ReplacementsOptions, InMemory):
    """Arguments of ``heatproof.compare_replacements``."""

    targets: TargetsArgument = None


@dataclass(frozen=True, kw_only=True)
class ProtocolsArguments(ProtocolsOptions, InMemory):
    """Arguments of ``heatproof.compare_protocols``."""

    methods: MethodsArgument = field(default=DEFAULT_METHODS, kw_only=False)
    targets: TargetsArgument = None


@dataclass(frozen=True, kw_only=True)
class AssessArguments(AssessOptions, InMemory):
    """Arguments of ``heatproof.assess``."""

    images: Annotated["Tensor", Argument("(N, C, H, W) RGB in [0, 1].")] = field(kw_only=False)
    labels: Annotated[
        "Tensor | None",
        Argument("(N,) true class indices, if known: the accuracy and its rank correlations are added."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ComplexityArguments(InMemory):
    """Arguments of ``heatproof.complexity``."""

    methods: MethodsArgument = field(default=DEFAULT_METHODS, kw_only=False)
    targets: TargetsArgument = None
    memory: MemoryOption = DEFAULT_MEMORY
