"""``heatproof replacements``."""

from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.compare import loaded
from heatproof.cli.keys import InFile
from heatproof.cli.names import one_of, some_of
from heatproof.cli.opening import Open
from heatproof.cli.options import Picturing
from heatproof.cli.perturbing import Scoring
from heatproof.cli.places import Overwrite, RunPlace, command_line, written_to
from heatproof.cli.printing import progress, warn
from heatproof.cli.results import deliver
from heatproof.cli.spreading import spread
from heatproof.cli.study_file import StudyCommand, resolved, settings_of
from heatproof.cli.working import Working
from heatproof.defaults import DEFAULT_METHOD, DEFAULT_REPLACEMENTS
from heatproof.registry import split_specs


@app.command("replacements", cls=StudyCommand)
@spread
def replacements_command(
    *,
    context: typer.Context,
    out: RunPlace,
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
    workers: Working,
    overwrite: Overwrite = False,
    opened: Open = False,
) -> None:
    r"""Which replacement of removed regions takes information away? MoRF and LeRF curves, and the area between (ABPC).

    [bold]heatproof replacements photos/ --out RUN[/bold]

    [bold]heatproof replacements builtin --replacements "uniform,blur\[sigma=5],road" --steps 40 --out RUN[/bold]
    """
    from heatproof.perturbation import Protocol
    from heatproof.perturbation.statistics import as_statistics
    from heatproof.studies.replacements import wanted_replacements
    from heatproof.studies.road.cell_runs import run_cells

    options = asdict(scoring) | {"memory": given.memory_bytes, "statistics": as_statistics(scoring.statistics)}
    settings, crew = settings_of(context), workers.maker()
    with written_to(context, out, overwrite=overwrite, resumes=True) as store:
        ready = given.load_network(), given.dataset(seed=scoring.seed)
        warn(ready[1].notes)
        load = partial(loaded, given, scoring.seed) if crew else lambda: ready
        wanted = wanted_replacements(
            split_specs(replacements), method, Protocol("uniform", **options), load, settings, resolved(settings)
        )
        with progress("evaluations") as advance:
            study = run_cells(
                wanted, store, workers=crew, anew=overwrite, on_progress=advance, reproduce=command_line()
            )
    deliver(study, out, holding="tables, figures, scores.parquet, cells/ (a run for each replacement)", opened=opened)
