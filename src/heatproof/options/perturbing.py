"""The options that several studies share, with their defaults.

An option that is added here stands in the Python function, the command, study files, the record of a run, and the docs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from heatproof.bounds import AUDITED, MANY, MEMORY, REPEATS, SEED
from heatproof.defaults import (
    DEFAULT_MEMORY,
)
from heatproof.options.names import ENGINES, among, one_of, registered, some_of
from heatproof.options.option import Bounded, Option
from heatproof.options.texts import as_gb, as_memory, as_regions, as_steps

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from heatproof.perturbation.statistics import Statistics

OnProgress = Callable[[int], None]
OnTotal = Callable[[int, int], None]  # called with the evaluations done and those in all

MemoryOption = Annotated[
    int,
    Option(
        "For activations and images: 2, 0.5, 8GB or 500MB.",
        python="bytes that activations and images may take.",
        bounds=MEMORY,
        metavar="GB|SIZE",
        parse=as_memory,
        text=as_gb,
    ),
]


@dataclass(frozen=True, kw_only=True)
class Removing(Bounded):
    """Which regions are removed, how often, and how the network is evaluated."""

    steps: Annotated[
        "int | str | None",
        Option(
            "Regions to remove. Default: 100, or all where there are fewer.",
            python='number L of regions to remove; or "all"; by default 100, or all where there are fewer.',
            metavar="N|all",
            parse=as_steps,
        ),
    ] = None
    scored: Annotated[
        int | None,
        Option(
            "At how many of the steps to evaluate the score, drawn at random. Default: at all.",
            python="at how many of the steps the score is evaluated, one drawn at random in each of as many strata, "
            "for each image and repeat; by default at all. Means over steps stay unbiased.",
            bounds=MANY,
        ),
    ] = None
    repeats: Annotated[int, Option("Repeats, each with other replacement images.", bounds=REPEATS)] = 1
    regions: Annotated[
        "int | str | Tensor",
        Option(
            "Side of a region in pixels, or a name; see 'heatproof list regions'.",
            python='side of the regions of the grid in pixels, "pixels", superpixels such as "slic[segments=100]", or '
            "a map of region indices (H, W) or (N, H, W), −1 = never removed.",
            metavar="SIZE|NAME",
            parse=as_regions,
            complete=one_of("regions"),
        ),
    ] = 9
    seed: Annotated[int, Option("Of all random draws.", bounds=SEED)] = 0
    engine: Annotated[
        str,
        Option(
            "full (the whole network at each step), incremental (what a step touches), auto (the faster).",
            complete=among(ENGINES),
        ),
    ] = "auto"
    memory: MemoryOption = DEFAULT_MEMORY
    statistics: Annotated[
        "Statistics | str | Path | None",
        Option(
            "File of 'heatproof statistics' for constant and dirichlet. Default: those of the given pictures.",
            python='of a data set, or a file of them, for the replacements "constant" and "dirichlet"; by default '
            "those of the images.",
            metavar="FILE",
            path="(.+)",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Scoring(Removing):
    """The same, and the score."""

    score: Annotated[
        str,
        Option(f"Score of the target: {', '.join(registered('scores'))}.", complete=one_of("scores")),
    ] = "logit"


@dataclass(frozen=True, kw_only=True)
class Replacing(Removing):
    """The same, and what a removed region becomes."""

    replacement: Annotated[
        str,
        Option(
            "What a removed region becomes; see 'heatproof list replacements'.",
            complete=one_of("replacements"),
        ),
    ] = "uniform"


@dataclass(frozen=True, kw_only=True)
class Perturbing(Scoring, Replacing):
    """How regions are removed, replaced and scored."""


@dataclass(frozen=True, kw_only=True)
class Examining(Perturbing):
    """The same, and what is found out beside the curves of most relevant first."""

    lerf: Annotated[
        bool,
        Option(
            "Least relevant first too: for ABPC, and with --steps all for SRG.",
            python="also remove the least relevant regions first, for measures between the two curves, such as ABPC.",
        ),
    ] = False
    audit: Annotated[
        int | None,
        Option(
            "Images on which to ask whether other replacements, orders, scores and sizes of regions would rank "
            "the methods alike; 0 for none. Default: 4 to 16, for a sixth more evaluations.",
            python="on how many images to ask whether the ranking would be the same with other replacements, orders, "
            "scores and sizes of regions, and how far off each replacement leads (R-OMS); 0 for none. By default on 4 "
            "to 16, as many as take a sixth of the comparison's evaluations. They come on top of these.",
            bounds=AUDITED,
        ),
    ] = None
    measures: Annotated[
        Sequence[str],
        Option(
            "That evaluate the network further: naopc (its option beam in brackets), single-region.",
            python='that evaluate the network further: "naopc" (up to 16 regions), "naopc[beam=5]", "single-region".',
            several=True,
            shows_default=False,
            complete=some_of("measures"),
        ),
    ] = ()
