"""``heatproof check``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.bounds import REGION
from heatproof.cli.application import CHECK_FAILED, Application, app
from heatproof.cli.options import Picturing
from heatproof.cli.output import tell
from heatproof.cli.printing import print_table, say
from heatproof.options.option import Option
from heatproof.registry import parse_spec

if TYPE_CHECKING:
    from heatproof.checks import Checked
    from heatproof.network import Network

check = Application(
    no_args_is_help=True, help="Check whether a method, metric or heatmaps have the properties that they claim."
)
app.add_typer(check, name="check")

Own = Annotated[str, Option("Metric: package.module:function or FILE.py:function; its code is run.", positional=True)]
OwnNetwork = Annotated[
    str | None, Option("Network for the checks that need no known answer.", name="network", short="-n")
]
Weights = Annotated[str | None, Option("Weights for --network.")]


@check.command("method")
def method_command(
    subject: Annotated[
        str,
        Option("Method: package.module:function or FILE.py:function (its code is run), or a name.", positional=True),
    ],
    *,
    sums_to_score: Annotated[bool, Option("Claim: heatmaps add up to the score.")] = False,
    network: OwnNetwork = None,
    weights: Weights = None,
) -> None:
    """Checks a heatmap method: a callable (network, images, targets) -> (N, H, W).

    [bold]heatproof check method mine.py:heatmaps[/bold]
    """
    from heatproof.checks import check_method, load_callable
    from heatproof.heatmaps import METHODS, WRAPPERS
    from heatproof.heatmaps.methods import split_prefix
    from heatproof.heatmaps.third_party import PACKAGES

    prefix, rest = split_prefix(subject)
    named = parse_spec(prefix or rest)[0] in (*METHODS, *WRAPPERS, *PACKAGES)
    method = subject if named or ":" not in subject else load_callable(subject)
    _deliver(check_method(method, network=_network(network, weights), sums_to_score=sums_to_score, name=subject))


@dataclass(frozen=True)
class Claimed:
    """What a metric claims."""

    higher_is_better: Annotated[
        bool, Option("Claim: whether higher or lower values are better.", negative="lower-is-better")
    ] = True
    region: Annotated[int, Option("Side of the regions that the metric removes, in pixels.", bounds=REGION)] = 9
    value: Annotated[str | None, Option("Claim: the metric is aopc or abpc.")] = None
    replacement: Annotated[str | None, Option("Claim: removed regions become zero or uniform.")] = None
    score: Annotated[str | None, Option("Claim: the metric follows the logit or the probability.")] = None
    chance: Annotated[float | None, Option("Claim: value of random heatmaps; 0 for abpc.")] = None
    uses_values: Annotated[bool, Option("Claim: relevance values count, not only their order.")] = False


@check.command("metric")
def metric_command(
    subject: Own,
    *,
    claimed: Claimed,
    network: OwnNetwork = None,
    weights: Weights = None,
) -> None:
    """Checks a metric: a callable (network, images, targets, heatmaps) -> (N,). What it does not claim is not checked.

    [bold]heatproof check metric mine.py:aopc --value aopc --replacement zero --score logit[/bold]
    """
    from heatproof.checks import MetricClaims, check_metric, load_callable

    found = dict(vars(claimed))
    claims = MetricClaims(only_order=not found.pop("uses_values"), **found)
    _deliver(check_metric(load_callable(subject), claims, network=_network(network, weights), name=subject))


@check.command("maps")
def maps_command(
    *,
    given: Picturing,
    file: Annotated[Path, Option("File of heatmaps: .npz, .npy, .zarr or .safetensors.", name="maps")],
    region: Annotated[int, Option("Side of the regions, in pixels.", bounds=REGION)] = 9,
) -> None:
    """Checks precomputed heatmaps against their pictures and network.

    [bold]heatproof check maps photos/ --maps maps.npz --network torchvision:vgg16 --weights vgg16.safetensors[/bold]
    """
    from heatproof.checks import check_maps, read_maps

    network = given.load_network()
    pictures = given.read_pictures(network)
    maps = read_maps(file, pictures.names)
    _deliver(check_maps(maps, pictures.images, network=network, region=region, name=str(file)))


def _network(spec: str | None, weights: str | None) -> "Network | None":
    from heatproof.network import load_network

    return None if spec is None else load_network(spec, weights=weights)


def _deliver(found: "Checked") -> None:
    """Prints the findings; a failed check has its own exit code."""
    tell(passed=found.passed, failed={failed.name: failed.meaning for failed in found.failed})
    print_table(found.table())
    for failed in found.failed:
        say(f"{failed.name} failed: {failed.meaning}")
    if not found.passed:
        raise typer.Exit(CHECK_FAILED)
