"""Studies read back from a store, without network or pictures."""

from heatproof.errors import InputError
from heatproof.runs.objects import Store
from heatproof.runs.run_record import read_content
from heatproof.studies.comparison import Comparison
from heatproof.studies.road.cell_runs import read_cells
from heatproof.studies.road.collecting import gathered_from, told
from heatproof.studies.study import Study
from heatproof.studies.survey import read_survey


def read_study(store: Store) -> Study:
    """The study that a run holds.

    Raises:
        InputError: if it is no run, or its files do not hold what they should.
    """
    record = read_content(store)
    if record["study"] == "survey":
        return read_survey(store)
    if "cells" in record:
        return read_cells(store)
    return told(gathered_from(store), store)


def read_comparison(store: Store) -> Comparison:
    """The comparison that a run holds.

    Raises:
        InputError: if it is a run of another study.
    """
    study = read_study(store)
    if not isinstance(study, Comparison):
        raise InputError(f"expected the run of a comparison, got a run of {read_content(store)['study']}: {store}")
    return study
