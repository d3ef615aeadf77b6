"""The options that say how regions are removed, and how that is scored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from heatproof.bounds import AUDITED, REPEATS
from heatproof.cli.keys import InFile
from heatproof.cli.names import ENGINES, among, one_of, registered, some_of
from heatproof.cli.values import as_regions, as_steps
from heatproof.registry import split_specs


@dataclass(frozen=True)
class Stepping:
    """Which regions are removed, how often; the names are those of ``heatproof.compare``."""

    steps: Annotated[
        Any,
        typer.Option(
            parser=as_steps, metavar="N|all", help="Regions to remove. Default: 100, or all where there are fewer."
        ),
    ] = None
    scored: Annotated[
        int | None,
        typer.Option(help="At how many of the steps to evaluate the score, drawn at random. Default: at all.", min=1),
    ] = None
    repeats: Annotated[
        int, typer.Option(help="Repeats, each with other replacement images.", min=1, max=REPEATS.high)
    ] = 1
    regions: Annotated[
        Any,
        typer.Option(
            parser=as_regions,
            metavar="SIZE|NAME",
            help="Side of a region in pixels, or a name; see 'heatproof list regions'.",
            autocompletion=one_of("regions"),
        ),
    ] = 9
    seed: Annotated[int, typer.Option(help="Of all random draws.", min=0)] = 0
    engine: Annotated[
        str,
        typer.Option(
            help="full (the whole network at each step), incremental (what a step touches), auto (the faster).",
            autocompletion=among(ENGINES),
        ),
    ] = "auto"


@dataclass(frozen=True)
class Removing(Stepping):
    """How regions are removed."""

    replacement: Annotated[
        str,
        typer.Option(
            help="What a removed region becomes; see 'heatproof list replacements'.",
            autocompletion=one_of("replacements"),
        ),
    ] = "uniform"


@dataclass(frozen=True)
class Scoring(Stepping):
    """Which regions are removed, and how that is scored."""

    score: Annotated[
        str,
        typer.Option(help=f"Score of the target: {', '.join(registered('scores'))}.", autocompletion=one_of("scores")),
    ] = "logit"
    statistics: Annotated[
        Path | None,
        typer.Option(
            help="File of 'heatproof statistics' for constant and dirichlet. Default: those of the given pictures."
        ),
    ] = None


@dataclass(frozen=True)
class Perturbing(Removing, Scoring):
    """How regions are removed and scored, in which orders, and how that is audited."""

    lerf: Annotated[
        bool,
        typer.Option("--lerf", help="Least relevant first too: for ABPC, and with --steps all for SRG."),
    ] = False
    audit: Annotated[
        int | None,
        typer.Option(
            help="Images on which to ask whether other replacements, orders, scores and sizes of regions would rank "
            "the methods alike; 0 for none. Default: 4 to 16, for a sixth more evaluations.",
            min=0,
            max=AUDITED.high,
        ),
    ] = None
    measures: Annotated[
        str,
        typer.Option(
            "--measures",
            help="That evaluate the network further: naopc (its option beam in brackets), single-region.",
            show_default=False,
            autocompletion=some_of("measures"),
        ),
        InFile(several=True),
    ] = ""

    @property
    def measure_names(self) -> list[str]:
        """The measures, one by one."""
        return split_specs(self.measures)
