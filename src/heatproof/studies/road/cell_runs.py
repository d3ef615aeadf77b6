"""A study of several comparisons in a store: each is a run of its own below ``cells/``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heatproof.data import Dataset
from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.runs.objects import Store, cell_of
from heatproof.runs.places import RECORD
from heatproof.runs.run_record import CellsRecord, read_content
from heatproof.runs.workers import Make, Workers
from heatproof.studies.assessment import Assessment
from heatproof.studies.comparison import Comparison
from heatproof.studies.replacement_comparison import ReplacementComparison
from heatproof.studies.road.collecting import gathered_from
from heatproof.studies.road.record import STUDY_FILE
from heatproof.studies.road.running import Wanted, begun, computed
from heatproof.studies.road.saving import put_cells_record
from heatproof.studies.watching import OnTotal, Progress

StudyOfCells = Assessment | ReplacementComparison


@dataclass(frozen=True)
class Cell:
    """A comparison of a study that makes several.

    Attributes:
        name: what the study calls it.
        wanted: what is to be compared, and how.
        load: the network and the data set; picklable, if workers are other processes.
    """

    name: str
    wanted: Wanted
    load: Callable[[], tuple[Network, Dataset]]


@dataclass(frozen=True)
class WantedCells:
    """What is wanted of a study of several comparisons, but for where it runs.

    Attributes:
        study: "replacements" or "assess".
        cells: its comparisons.
        about: what the study is made from beside them (``CellsResult.about``).
        configuration: all of it as JSON-able values: a run goes on only with the same.
        study_file: the text of a file that asks for the same, kept in the run.
    """

    study: str
    cells: Sequence[Cell]
    about: Mapping[str, Any]
    configuration: Mapping[str, Any]
    study_file: str = ""


def run_cells(
    wanted: WantedCells,
    store: Store,
    *,
    workers: Callable[[Make], Workers] | None = None,
    anew: bool = False,
    on_progress: OnTotal | None = None,
    reproduce: str = "",
) -> StudyOfCells:
    """Begins a study, or resumes it, and finishes it; for the arguments see ``run_comparison``.

    Raises:
        InputError: if another configuration was begun there, or nothing could be computed.
    """
    store.sweep()
    _begin(wanted, store, anew=anew)
    progress = Progress(on_progress, len(wanted.cells))
    found: dict[str, Comparison] = {}
    for number, cell in enumerate(wanted.cells):
        try:
            found[cell.name] = computed(cell.wanted, cell.load, cell_of(store, number), progress, workers=workers)
        except InputError as error:
            if not store.names("cells/"):
                store.delete(RECORD)  # nothing was begun
            raise InputError(f"{cell.name}: {error}") from error
    study = _study_of(wanted.study, found, wanted.about)
    study.write_results(store, reproduce)
    return study


def read_cells(store: Store) -> StudyOfCells:
    """The study that a run holds; needs neither network nor pictures."""
    record = CellsRecord.of(read_content(store), f"{RECORD} of {store}")
    found = {name: gathered_from(cell_of(store, number)) for number, name in enumerate(record.cells)}
    return _study_of(record.study, found, record.model_dump())


def _study_of(study: str, cells: Mapping[str, Comparison], about: Mapping[str, Any]) -> StudyOfCells:
    if study == "replacements":
        return ReplacementComparison(cells, about["method"])
    return Assessment(cells, about["method"], about["topology"], about["labels"])


def _begin(wanted: WantedCells, store: Store, *, anew: bool) -> None:
    """Writes what a study begins with, as far as it is not there yet; another study is deleted or refused."""
    if begun(store, {"configuration": dict(wanted.configuration)}, anew=anew) is None:
        put_cells_record(wanted.study, [cell.name for cell in wanted.cells], wanted.about, wanted.configuration, store)
    if not store.exists(STUDY_FILE):
        store.put(STUDY_FILE, wanted.study_file.encode())
