"""``heatproof compare``."""

from dataclasses import asdict
from typing import Annotated

import typer

from heatproof import runs, studies
from heatproof.cli.application import app
from heatproof.cli.keys import InFile
from heatproof.cli.options import Explaining, Perturbing
from heatproof.cli.printing import progress
from heatproof.cli.results import Out, Overwrite, deliver
from heatproof.cli.spreading import spread
from heatproof.cli.study_file import StudyCommand
from heatproof.registry import split_specs


@app.command("compare", cls=StudyCommand)
@spread
def compare_command(
    *,
    out: Out,
    given: Explaining,
    perturbing: Perturbing,
    measures: Annotated[
        str,
        typer.Option(
            "--measures",
            help="That evaluate the network further: naopc, naopc[beam=5], single-region.",
            show_default=False,
        ),
        InFile(several=True),
    ] = "",
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
    runs.check_free(out, overwrite=overwrite)
    network = given.load_network()
    pictures = given.read_pictures(network, seed=perturbing.seed)
    with progress("evaluations") as advance:
        study = studies.compare(
            network,
            pictures.images,
            given.with_controls() if controls else given.method_names,
            **asdict(perturbing),
            measures=split_specs(measures),
            until=until,
            indifference=indifference,
            memory=given.memory_bytes,
            names=pictures.names,
            skipped=pictures.skipped,
            on_progress=advance,
        )
    holding = ", ".join(["scores.parquet", "heatmaps.zarr", *(["audit.parquet"] if study.audit else [])])
    deliver(study, pictures, out, overwrite=overwrite, holding=holding, work=study.work)
