"""``heatproof replacements``."""

from dataclasses import asdict
from typing import Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.keys import InFile
from heatproof.cli.names import one_of, some_of
from heatproof.cli.opening import Open
from heatproof.cli.options import Picturing
from heatproof.cli.perturbing import Scoring
from heatproof.cli.places import Out, Overwrite, command_line, written_to
from heatproof.cli.printing import progress
from heatproof.cli.results import deliver
from heatproof.cli.spreading import spread
from heatproof.cli.study_file import StudyCommand
from heatproof.defaults import DEFAULT_METHOD, DEFAULT_REPLACEMENTS
from heatproof.registry import split_specs


@app.command("replacements", cls=StudyCommand)
@spread
def replacements_command(
    *,
    context: typer.Context,
    out: Out,
    given: Picturing,
    replacements: Annotated[
        str,
        typer.Option(
            "--replacements",
            help="Separated by commas; see 'heatproof list replacements'.",
            autocompletion=some_of("replacements"),
        ),
        InFile(several=True),
    ] = ",".join(DEFAULT_REPLACEMENTS),
    method: Annotated[
        str,
        typer.Option(
            "--method", "-m", help="Of the heatmaps; see 'heatproof list methods'.", autocompletion=one_of("methods")
        ),
    ] = DEFAULT_METHOD,
    scoring: Scoring,
    overwrite: Overwrite = False,
    opened: Open = False,
) -> None:
    r"""Which replacement of removed regions takes information away? MoRF and LeRF curves, and the area between (ABPC).

    [bold]heatproof replacements photos/ --out RUN[/bold]

    [bold]heatproof replacements builtin --replacements "uniform,blur\[sigma=5],road" --steps 40 --out RUN[/bold]
    """
    from heatproof import studies

    with written_to(context, out, overwrite=overwrite) as store:
        network = given.load_network()
        pictures = given.read_pictures(network, seed=scoring.seed)
        with progress("evaluations") as advance:
            study = studies.compare_replacements(
                network,
                pictures.images,
                split_specs(replacements),
                method=method,
                **asdict(scoring),
                memory=given.memory_bytes,
                names=pictures.names,
                skipped=pictures.skipped,
                on_progress=advance,
            )
        study.write(store, reproduce=command_line())
    deliver(
        study,
        pictures,
        out,
        holding="scores.parquet, heatmaps.zarr",
        work=study.work,
        opened=opened,
    )
