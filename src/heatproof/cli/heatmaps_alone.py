"""How the commands of studies run that measure heatmaps alone."""

from typing import TYPE_CHECKING

import typer

from heatproof.cli.options import Picturing
from heatproof.cli.places import RunPlace
from heatproof.cli.results import deliver
from heatproof.cli.study_file import settings_of
from heatproof.cli.working import Working

if TYPE_CHECKING:
    from heatproof.studies.wanted import Wanted

HOLDING = "tables and figures, scores.parquet (every value), heatmaps.zarr"


def run_heatmaps_alone(
    context: typer.Context,
    wanted: "Wanted",
    place: RunPlace,
    given: Picturing,
    workers: Working,
    *,
    unit: str = "heatmaps",
    holding: str = HOLDING,
) -> None:
    """Begins a run in a place, or resumes it, finishes and prints it; a bar counts ``unit``."""
    from heatproof.studies.road.running import run_comparison

    settings = settings_of(context)
    with place.held(context) as store:
        opened = workers.opened_by(given, wanted.protocol.seed)
        with workers.execution(place, unit=unit, device=given.device) as execution:
            study = run_comparison(wanted, opened, store, settings, execution)
    deliver(study, place, holding=holding)
