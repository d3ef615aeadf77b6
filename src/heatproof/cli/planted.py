"""``heatproof planted``."""

from collections.abc import Sequence
from typing import Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.explaining import METHOD_FILE
from heatproof.cli.opening import Open
from heatproof.cli.options import Picturing
from heatproof.cli.places import Out, Overwrite, RunPlace, command_line, written_to
from heatproof.cli.printing import progress
from heatproof.cli.results import deliver
from heatproof.defaults import DEFAULT_METHODS
from heatproof.options.names import some_methods
from heatproof.options.option import Option
from heatproof.options.studies import PlantedOptions


@app.command("planted")
def planted_command(
    *,
    context: typer.Context,
    given: Picturing,
    methods: Annotated[
        Sequence[str],
        Option(
            "Separated by commas; see 'heatproof list methods'. FILE.py:function runs your code.",
            short="-m",
            metavar="NAMES",
            complete=some_methods,
            several=True,
            path=METHOD_FILE,
        ),
    ] = DEFAULT_METHODS,
    options: PlantedOptions,
    out: Out,
    overwrite: Overwrite = False,
    opened: Open = False,
) -> None:
    """Which heatmaps find a class in mosaics of photographs, where its place is known? No labels needed.

    [bold]heatproof planted photos/ --methods lrp-alphabeta,sensitivity-l2,deconvolution-l2 --out RUN[/bold]
    """
    from heatproof.studies.planted import computed_methods, planted

    chosen = computed_methods(methods)
    with written_to(context, out, overwrite=overwrite) as store:
        network = given.load_network()
        pictures = given.read_pictures(network, seed=options.seed, labels=False)
        with progress("heatmaps") as advance:
            truth = planted(
                network,
                pictures.images,
                chosen,
                grid=options.grid,
                seen=options.seen,
                seed=options.seed,
                memory=given.memory,
                names=pictures.names,
                skipped=pictures.skipped,
                on_progress=advance,
            )
        truth.write_results(store, command_line())
    place = RunPlace(out, overwrite, opened)
    deliver(truth, place, holding="tables and figures, scores.parquet (every value), mosaics.parquet")
