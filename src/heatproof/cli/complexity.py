"""``heatproof complexity``."""

from functools import partial
from typing import Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.compare import loaded
from heatproof.cli.explaining import Explaining
from heatproof.cli.opening import Open
from heatproof.cli.places import Overwrite, RunPlace, command_line, written_to
from heatproof.cli.printing import progress, warn
from heatproof.cli.results import deliver
from heatproof.cli.spreading import spread
from heatproof.cli.study_file import StudyCommand, resolved, settings_of
from heatproof.cli.working import Working


@app.command("complexity", cls=StudyCommand)
@spread
def complexity_command(
    *,
    context: typer.Context,
    out: RunPlace,
    given: Explaining,
    seed: Annotated[int, typer.Option(help="Of the sample of --images.", min=0)] = 0,
    workers: Working,
    overwrite: Overwrite = False,
    opened: Open = False,
) -> None:
    """How complex are the heatmaps of each method: file sizes as PNG and JPEG, entropy, sparsity?

    [bold]heatproof complexity photos/ --methods lrp-alphabeta,sensitivity-l2,deconvolution-l2 --out RUN[/bold]
    """
    from heatproof.studies.complexity import run_complexity, wanted_complexity

    files, crew, settings = given.files(), workers.maker(), settings_of(context)
    methods = {name: files.get(name, name) for name in (*given.method_names, *files)}
    wanted = wanted_complexity(
        methods, seed=seed, memory=given.memory_bytes, configuration=settings, study_file=resolved(settings)
    )
    with written_to(context, out, overwrite=overwrite, resumes=True) as store:
        ready = given.load_network(), given.dataset(seed=seed)
        warn(ready[1].notes)
        load = partial(loaded, given, seed) if crew else lambda: ready
        with progress("images") as advance:
            study = run_complexity(
                wanted, load, store, workers=crew, anew=overwrite, on_progress=advance, reproduce=command_line()
            )
    deliver(study, out, holding="tables and figures, scores.parquet (every value), heatmaps.zarr", opened=opened)
