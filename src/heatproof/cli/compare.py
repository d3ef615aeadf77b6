"""``heatproof compare``."""

from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heatproof.cli.application import app
from heatproof.cli.explaining import Explaining
from heatproof.cli.names import among
from heatproof.cli.opening import Open
from heatproof.cli.options import Picturing
from heatproof.cli.perturbing import Perturbing
from heatproof.cli.places import Overwrite, RunPlace, command_line, written_to
from heatproof.cli.printing import progress, warn
from heatproof.cli.results import deliver
from heatproof.cli.spreading import spread
from heatproof.cli.study_file import StudyCommand, resolved, settings_of
from heatproof.cli.values import as_shown
from heatproof.cli.working import Sharing
from heatproof.defaults import SHOWN

if TYPE_CHECKING:
    from heatproof.data import Dataset
    from heatproof.network import Network


@app.command("compare", cls=StudyCommand)
@spread
def compare_command(
    *,
    context: typer.Context,
    out: RunPlace,
    given: Explaining,
    perturbing: Perturbing,
    workers: Sharing,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="signs|ranked",
            autocompletion=among(("signs", "ranked")),
            help="Add images, in random order, only until it is settled which methods are above the random order "
            "(signs) and how they rank (ranked).",
        ),
    ] = None,
    indifference: Annotated[
        float | None,
        typer.Option(
            help="For --until: smaller differences count as none, in the score's unit. Default: a tenth of the "
            "random order's AOPC."
        ),
    ] = None,
    overwrite: Overwrite = False,
    opened: Open = False,
    show: Annotated[  # noqa: ANN401 - a number or names
        Any,
        typer.Option(
            parser=as_shown,
            metavar="N|NAMES",
            help="Pictures that the page shows being destroyed: the first so many, or these, separated by commas.",
        ),
    ] = SHOWN,
    controls: Annotated[
        bool,
        typer.Option(
            "--controls",
            help="Add what methods must beat: maps that never saw the network, the first method with flipped signs, "
            "and the first method on a network with shuffled weights.",
        ),
    ] = False,
) -> None:
    r"""Which heatmap method explains this network best, on these images?

    [bold]heatproof compare photos/ --out RUN[/bold]

    [bold]heatproof compare builtin --methods "lrp-epsilon,lrp-alphabeta\[alpha=1,beta=0]" --steps 40 --out RUN[/bold]

    [bold]heatproof compare photos/ --heatmaps mine=maps.npz --methods captum:IntegratedGradients --out RUN[/bold]

    [bold]heatproof compare photos/ --scored 8 --until ranked --out RUN[/bold]
    """
    from heatproof import studies
    from heatproof.perturbation import Protocol
    from heatproof.perturbation.statistics import as_statistics
    from heatproof.studies.racing import rule_of

    protocol = Protocol(
        **{f.name: getattr(perturbing, f.name) for f in fields(Protocol) if hasattr(perturbing, f.name)}
    )
    files, computed = given.files(), given.with_controls() if controls else given.method_names
    settings = settings_of(context)
    settings |= {"methods": settings.get("methods", given.method_names)}  # a run says what its default was
    wanted = studies.Wanted(
        methods={name: files.get(name, name) for name in (*computed, *files)},
        protocol=replace(protocol, memory=given.memory_bytes, statistics=as_statistics(perturbing.statistics)),
        lerf=perturbing.lerf,
        measures=tuple(perturbing.measure_names),
        rule=rule_of(until, indifference),
        audit=perturbing.audit,
        configuration=settings,
        study_file=resolved(settings),
        show=show,
    )
    crew, shares = workers.maker(), workers.shares
    with written_to(context, out, overwrite=overwrite, resumes=True) as store:
        ready = given.load_network(), given.dataset(seed=perturbing.seed)
        warn(ready[1].notes)
        load = partial(loaded, given, perturbing.seed) if crew else lambda: ready
        with progress("evaluations") as advance:
            study = studies.run_comparison(
                wanted,
                load,
                store,
                workers=crew,
                share=shares,
                anew=overwrite,
                on_progress=advance,
                reproduce=command_line(),
            )
    deliver(study, out, holding="tables and figures, shards/ (every score), heatmaps.zarr", opened=opened)


def loaded(given: Picturing, seed: int) -> "tuple[Network, Dataset]":
    """The network and the data set; called in every process that works on a run."""
    return given.network_of(), given.dataset(seed=seed)
