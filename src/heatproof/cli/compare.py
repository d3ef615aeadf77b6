"""``heatproof compare``."""

from dataclasses import fields, replace
from functools import partial
from typing import Annotated

import typer

from heatproof import studies
from heatproof.cli.application import PARTIAL, app
from heatproof.cli.options import Explaining, Perturbing
from heatproof.cli.places import RunPlace, command_line, prepared, written_by_us
from heatproof.cli.printing import console, print_study, progress, say, visible, warn
from heatproof.cli.results import Overwrite
from heatproof.cli.spreading import spread
from heatproof.cli.study_file import StudyCommand, resolved, settings_of
from heatproof.cli.working import Working
from heatproof.data import Dataset
from heatproof.network import Network
from heatproof.perturbation import Protocol
from heatproof.perturbation.statistics import as_statistics
from heatproof.studies.racing import rule_of


@app.command("compare", cls=StudyCommand)
@spread
def compare_command(
    *,
    context: typer.Context,
    out: RunPlace,
    given: Explaining,
    perturbing: Perturbing,
    workers: Working,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="signs|ranked",
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

    [bold]heatproof compare photos/ --scored 8 --until ranked --out RUN[/bold]
    """
    store = prepared(out, overwrite=overwrite)
    protocol = Protocol(
        **{f.name: getattr(perturbing, f.name) for f in fields(Protocol) if hasattr(perturbing, f.name)}
    )
    wanted = studies.Wanted(
        methods=tuple(given.with_controls() if controls else given.method_names),
        protocol=replace(protocol, memory=given.memory_bytes, statistics=as_statistics(perturbing.statistics)),
        lerf=perturbing.lerf,
        measures=tuple(perturbing.measure_names),
        rule=rule_of(until, indifference),
        audit=perturbing.audit,
        configuration=settings_of(context),
        study_file=resolved(settings_of(context)),
    )
    ready = given.load_network(), given.dataset(seed=perturbing.seed)
    warn(ready[1].notes)
    crew, shares = workers.maker(), workers.shares
    load = partial(loaded, given, perturbing.seed) if crew else lambda: ready
    with written_by_us(store), progress("evaluations") as advance:
        study = studies.run_comparison(
            wanted, load, store, workers=crew, share=shares, on_progress=advance, reproduce=command_line()
        )
    finish(study, out)


def loaded(given: Explaining, seed: int) -> tuple[Network, Dataset]:
    """The network and the data set; called in every process that works on a run."""
    return given.network_of(), given.dataset(seed=seed)


def finish(study: studies.Comparison, out: str) -> None:
    """Prints the study, says what it took and what the run holds; exits 3 if pictures or shards are missing."""
    for name, reason in study.skipped:
        console.print(f"skipped {visible(name)}: {visible(reason)}", style="yellow", markup=False)
    print_study(study)
    say()
    say(str(study.work))
    say(f"Results: {out}/report.html (page), tables and figures, shards/ (every score), heatmaps.zarr")
    if study.skipped or study.set_aside:
        raise typer.Exit(PARTIAL)
