"""The options that several studies share, with their defaults.

An option that is added here stands in the Python function, the command, study files, the record of a run, and the docs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from heatproof.bounds import AUDITED, CLASS, MANY, MEMORY, REPEATS, SEED
from heatproof.defaults import AUTO, DEFAULT_MEMORY, FLOAT32
from heatproof.options.names import ENGINES, PRECISIONS, among, one_of, registered, some_of
from heatproof.options.option import Bounded, Option
from heatproof.options.texts import as_against, as_gb, as_memory, as_regions, as_steps

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from heatproof.perturbation.statistics import Statistics

OnProgress = Callable[[int], None]
OnTotal = Callable[[int, int], None]  # called with the evaluations done and those in all

MemoryOption = Annotated[
    int,
    Option(
        "Memory for activations and images: 2, 0.5 (GB), 8GB or 500MB.",
        python="bytes of memory that activations and images may take.",
        bounds=MEMORY,
        metavar="GB|SIZE",
        parse=as_memory,
        text=as_gb,
    ),
]

RegionsOption = Annotated[
    "int | str | Tensor",
    Option(
        "Side of a region in pixels, or a name; see 'heatproof list regions'.",
        python='side of the regions of the grid in pixels, a name such as "relative-grid[across=8]" or '
        '"slic[segments=100]", or a map of region indices (H, W) or (N, H, W), −1 = never removed.',
        metavar="SIZE|NAME",
        parse=as_regions,
        complete=one_of("regions"),
    ),
]
ScoreOption = Annotated[
    str, Option(f"Score of the target: {', '.join(registered('scores'))}.", complete=one_of("scores"))
]
ReplacementOption = Annotated[
    str,
    Option(
        "What a removed region becomes; see 'heatproof list replacements'.",
        complete=one_of("replacements"),
    ),
]


AgainstOption = Annotated[
    "int | str | None",
    Option(
        "Explain and follow the difference of two logits: the target's minus that of another class, which is second "
        "(the highest of the others, in each untouched image), a class's name, or its number.",
        python="explain and follow the difference of two logits: the target's minus that of another class, which is "
        '"second" (the highest of the others, in each untouched image), a class\'s name, or its number. By default the '
        "target's logit alone.",
        bounds=CLASS,
        metavar="second|NAME|INDEX",
        parse=as_against,
    ),
]


@dataclass(frozen=True, kw_only=True)
class Evaluating(Bounded):
    """How often removal is repeated, and how the network is evaluated."""

    scored: Annotated[
        int | None,
        Option(
            "Number of steps at which the score is evaluated, drawn at random. Default: all.",
            python="number of steps at which the score is evaluated, one drawn at random in each of as many strata, "
            "for each image and repeat; by default all. Means over steps stay unbiased.",
            bounds=MANY,
        ),
    ] = None
    repeats: Annotated[int, Option("Number of repeats, each with its own replacement image.", bounds=REPEATS)] = 1
    seed: Annotated[int, Option("Seed of all random draws.", bounds=SEED)] = 0
    engine: Annotated[
        str,
        Option(
            "How steps are evaluated: full (the whole network), incremental (what a step changes), auto (the faster).",
            complete=among(ENGINES),
        ),
    ] = "auto"
    precision: Annotated[
        str,
        Option(
            "Precision in which perturbed images are evaluated: float32 (the network's own), tf32 (NVIDIA GPUs), bf16; "
            "heatmaps and predictions stay in float32.",
            python="precision in which perturbed images are evaluated: float32 (the network's own), tf32 (NVIDIA "
            "GPUs), bf16. Heatmaps and predictions stay in the network's own. What another one changes is measured on "
            "a few images of a comparison, and shown.",
            complete=among(PRECISIONS),
        ),
    ] = FLOAT32
    memory: MemoryOption = DEFAULT_MEMORY
    statistics: Annotated[
        "Statistics | str | Path | None",
        Option(
            "File from 'heatproof statistics' for constant and dirichlet. Default: statistics of the pictures.",
            python='statistics of a data set, or a file of them, for the replacements "constant" and "dirichlet"; by '
            "default those of the images.",
            metavar="FILE",
            path="(.+)",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Removing(Evaluating):
    """Which regions are removed, how often, and how the network is evaluated."""

    steps: Annotated[
        "int | str | None",
        Option(
            "Number of regions to remove, a share of them (50%), or all. Default: 100, or all if there are fewer.",
            python='number L of regions to remove, a share of them ("50%"), or "all"; by default 100, or all if there '
            "are fewer.",
            metavar="N|PERCENT|all",
            parse=as_steps,
        ),
    ] = None
    regions: RegionsOption = 9


@dataclass(frozen=True, kw_only=True)
class Scoring(Removing):
    """Which regions are removed, and the score that is followed."""

    score: ScoreOption = "logit"
    against: AgainstOption = None


@dataclass(frozen=True, kw_only=True)
class Replacing(Removing):
    """Which regions are removed, and what they become."""

    replacement: ReplacementOption = "uniform"


@dataclass(frozen=True, kw_only=True)
class Perturbing(Scoring, Replacing):
    """How regions are removed, replaced and scored."""


@dataclass(frozen=True, kw_only=True)
class Examining(Perturbing):
    """How regions are removed, replaced and scored, and what is evaluated beside the MoRF curves."""

    protocol: Annotated[
        str,
        Option(
            "How regions are removed: auto (chosen on a pilot, if there are enough images and none of --regions, "
            "--replacement and --steps is given), samek2017 (the paper's), or another name; see 'heatproof list "
            "protocols'. Other options replace what it says.",
            python='how regions are removed: "auto" (chosen on a pilot, if there are enough images and none of '
            '``regions``, ``replacement`` and ``steps`` is given), "samek2017" (the paper\'s), or another name '
            "(``heatproof list protocols``). Other options replace what it says.",
            complete=one_of("protocols"),
        ),
    ] = AUTO
    scored: Annotated[
        int | None,
        Option(
            "Number of steps at which the score is evaluated, drawn at random. Default: the protocol's, 4 (all for "
            "samek2017).",
            python="number of steps at which the score is evaluated, one drawn at random in each of as many strata, "
            "for each image and repeat; by default the protocol's, 4 (all for samek2017). Means over steps stay "
            "unbiased.",
            bounds=MANY,
        ),
    ] = None
    steps: Annotated[
        "int | str | None",
        Option(
            "Number of regions to remove, a share of them (50%), or all. Default: the protocol's, all (100 for "
            "samek2017).",
            python='number L of regions to remove, a share of them ("50%"), or "all"; by default the protocol\'s, all '
            "(100 for samek2017).",
            metavar="N|PERCENT|all",
            parse=as_steps,
        ),
    ] = None
    regions: RegionsOption = AUTO
    replacement: ReplacementOption = AUTO
    lerf: Annotated[
        bool,
        Option(
            "Also remove the least relevant regions first with --protocol samek2017; other protocols always do.",
            python="also remove the least relevant regions first with the protocol samek2017; others always do.",
        ),
    ] = False
    controls: Annotated[
        bool | None,
        Option(
            "Add controls, which a good method must beat: maps that never saw the network, each method's map of "
            "another image, the first method on a network with shuffled weights. Default: yes, but for samek2017.",
            python="add controls, which a good method must beat: maps that never saw the network, each method's map of "
            "another image, the first method on a network with shuffled weights; by default yes, but for samek2017.",
            negative="no-controls",
        ),
    ] = None
    audit: Annotated[
        int | None,
        Option(
            "Number of images of the audit: would other replacements, orders, scores and sizes of regions rank the "
            "methods alike? 0: no audit. Default: as many as can answer, for at most a sixth more evaluations.",
            python="number of images of the audit, which asks whether the ranking would be the same with other "
            "replacements, orders, scores and sizes of regions, and how far off the data each replacement leads "
            "(R-OMS); 0 for none. By default as many as can answer, 4 to 64, for at most a sixth more evaluations than "
            "those of the comparison; where these are too few, the ranking is not asked about.",
            bounds=AUDITED,
        ),
    ] = None
    measures: Annotated[
        Sequence[str],
        Option(
            "Measures that evaluate the network further: naopc (its option beam in brackets), single-region.",
            python='measures that evaluate the network further: "naopc" (up to 16 regions), "naopc[beam=5]", '
            '"single-region".',
            several=True,
            shows_default=False,
            complete=some_of("measures"),
        ),
    ] = ()
