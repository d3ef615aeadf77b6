"""``heatproof merge``."""

from typing import Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.output import tell
from heatproof.cli.places import Out, Overwrite, written_to
from heatproof.cli.printing import print_study, say
from heatproof.options.option import Option


@app.command("merge")
def merge_command(
    context: typer.Context,
    sources: Annotated[
        list[str],
        Option("Folders or URLs of runs of the same study.", positional=True, metavar="RUN…", name="runs", path="(.+)"),
    ],
    *,
    out: Out,
    overwrite: Overwrite = False,
) -> None:
    """Joins runs of the same study that hold different shards (compare --share 1/2 and 2/2), or surveys.

    [bold]heatproof merge RUN1 RUN2 --out RUN[/bold]
    """
    from heatproof.runs.run_record import read_content
    from heatproof.runs.store import open_store
    from heatproof.studies.road.merging import merge
    from heatproof.studies.road.reading import read_comparison
    from heatproof.studies.road.record import command_of_run
    from heatproof.studies.study import Study
    from heatproof.studies.survey import merge_surveys

    stores = [open_store(source) for source in sources]
    with written_to(context, out, overwrite=overwrite) as target:
        study: Study
        if read_content(stores[0])["study"] == "survey":
            study, holding = merge_surveys(stores, target), "cells.parquet (every value), cells/"
        else:
            merge(stores, target)
            study, holding = read_comparison(target), "shards/ (every score), heatmaps.zarr"
        study.write_results(target, command_of_run(target))
    tell(run=out, page=f"{out}/report.html")
    print_study(study)
    say(f"Results: {out}/report.html (page), tables and figures, {holding}")
