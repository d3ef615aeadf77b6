"""A study of several comparisons in a store: each is a run of its own below ``cells/``."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from heatproof.errors import InputError
from heatproof.runs.objects import RECORD, Store, cell_of
from heatproof.runs.run_record import CellsRecord, read_content
from heatproof.runs.serialization import begin_record
from heatproof.runs.study_file import Settings
from heatproof.studies.assessment import Assessment
from heatproof.studies.comparison import Comparison
from heatproof.studies.protocol_comparison import ProtocolComparison
from heatproof.studies.replacement_comparison import ReplacementComparison
from heatproof.studies.road.collecting import gathered_from
from heatproof.studies.road.record import keep_study_file
from heatproof.studies.road.running import PLAIN, Execution, Opened, begun, computed
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress

OWN_SETTING = {"replacements": "replacement", "assess": "checkpoint", "protocol": "protocol"}  # of each cell

StudyOfCells = Assessment | ReplacementComparison | ProtocolComparison


@dataclass(frozen=True)
class Cell:
    """A comparison of a study that makes several.

    Attributes:
        wanted: what is to be compared, and how.
        opened: gives the network and the data set; picklable, if workers are other processes.
    """

    wanted: Wanted
    opened: Opened


@dataclass(frozen=True)
class WantedCells:
    """What is wanted of a study of several comparisons, wherever it is computed.

    Attributes:
        study: "replacements", "assess" or "protocol".
        cells: its comparisons, by what the study calls them.
        about: what the study is made from beside them (``CellsResult.about``).
    """

    study: str
    cells: Mapping[str, Cell]
    about: Mapping[str, Any]


def run_cells(wanted: WantedCells, store: Store, settings: Settings, execution: Execution = PLAIN) -> StudyOfCells:
    """Begins a study, or resumes it, and finishes it; for the arguments see ``run_comparison``.

    Raises:
        InputError: if another configuration was begun there, or nothing could be computed.
    """
    store.sweep()
    if begun(store, {"configuration": dict(settings)}, anew=execution.anew) is None:
        begin_record(store, wanted.study, configuration=dict(settings), cells=list(wanted.cells), **wanted.about)
    keep_study_file(settings, store)
    progress = Progress(execution.on_progress, len(wanted.cells))
    found: dict[str, Comparison] = {}
    for number, (name, cell) in enumerate(wanted.cells.items()):
        here, own = cell_of(store, number), Settings({OWN_SETTING[wanted.study]: name})
        try:
            found[name] = computed(cell.wanted, cell.opened, here, own, progress, replace(execution, anew=False))
        except InputError as error:
            if not store.names("cells/"):
                store.delete(RECORD)  # nothing was begun
            raise InputError(f"{name}: {error}") from error
    study = _study_of(wanted.study, found, wanted.about)
    study.write_results(store, execution.reproduce)
    return study


def read_cells(store: Store) -> StudyOfCells:
    """The study that a run holds; needs neither network nor pictures."""
    record = CellsRecord.of(read_content(store), f"{RECORD} of {store}")
    found = {name: gathered_from(cell_of(store, number)) for number, name in enumerate(record.cells)}
    return _study_of(record.study, found, record.model_dump())


def _study_of(study: str, cells: Mapping[str, Comparison], about: Mapping[str, Any]) -> StudyOfCells:
    if study == "replacements":
        return ReplacementComparison(cells, about["method"])
    if study == "protocol":
        return ProtocolComparison(cells, about["method"])
    return Assessment(cells, about["method"], about["topology"], about["labels"])
