"""Studies read back from a store, without network or pictures."""

from heatproof.errors import InputError
from heatproof.runs.objects import Store
from heatproof.runs.run_record import read_content
from heatproof.studies.comparison import Comparison
from heatproof.studies.complexity_study import Simplicity
from heatproof.studies.road.cell_runs import read_cells
from heatproof.studies.road.collecting import gathered_from
from heatproof.studies.study import Study


def read_study(store: Store) -> Study:
    """The study that a run holds.

    Raises:
        InputError: if it is no run, or its files do not hold what they should.
    """
    record = read_content(store)
    if "cells" in record:
        return read_cells(store)
    found = gathered_from(store)
    return Simplicity(found) if record["study"] == "complexity" else found


def read_comparison(store: Store) -> Comparison:
    """The comparison that a run holds.

    Raises:
        InputError: if it is a run of another study.
    """
    study = read_study(store)
    if not isinstance(study, Comparison):
        raise InputError(f"expected the run of a comparison, got one of {read_content(store)['study']}: {store}")
    return study
