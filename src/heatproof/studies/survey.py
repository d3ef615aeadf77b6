"""Many comparisons: which conclusions hold across networks, data sets and protocols?"""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from heatproof.errors import InputError
from heatproof.options.perturbing import OnTotal
from heatproof.report.studies import survey
from heatproof.results.findings import CellName, Finding
from heatproof.results.survey import SurveyResult
from heatproof.results.work import Work
from heatproof.runs.destination import begin_anew
from heatproof.runs.objects import RECORD, Store, StoreError, cell_of
from heatproof.runs.run_record import CellsRecord, read_content, read_run
from heatproof.runs.serialization import begin_record
from heatproof.runs.study_file import Settings
from heatproof.runs.workers import ran_out
from heatproof.studies.road.collecting import gathered_from
from heatproof.studies.road.record import check_same
from heatproof.studies.road.running import PLAIN, Execution, Opened, run_comparison
from heatproof.studies.study import Study
from heatproof.studies.wanted import Wanted

Groups = Mapping[str, Mapping[str, str]]  # data set -> name of an image -> its group
BETWEEN = " / "  # the names in that of a cell


class Survey(SurveyResult, Study):
    """What a survey found.

    ``table()`` has the effect size of each method in each cell and in general; higher is better.

    Attributes:
        findings: what each comparison found.
        failed: why other cells have no result, by name.
        folders: where each cell's run lies in that of the survey, by name.
    """

    code = 'study = hp.survey("survey.toml")'
    told = survey

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all images, each once."""
        return tuple(dict.fromkeys(image for one in self.findings for image in one.images))

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Cells that have no result, each with the reason."""
        return tuple(self.failed.items())

    @property
    def set_aside(self) -> tuple[str, ...]:
        """Errors of shards that could not be computed."""
        return tuple(error for one in self.findings for error in one.errors)

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before trusting the numbers."""
        return survey.warnings(self)

    @property
    def work(self) -> Work | None:
        """How much was evaluated, how long it took, and by which engine (that of the first cell)."""
        parts = [one.work for one in self.findings]
        return Work.of_all(parts, parts[0].engine) if parts else None

    def frames(self) -> dict[str, pl.DataFrame]:
        """Every value of every cell."""
        return {"cells": self.frame()}

    def keep(self, store: Store) -> None:
        """Refuses: the cells of a survey are runs already."""
        raise InputError(
            f"a survey is not saved again: its cells lie where it was computed; copy that folder to {store}"
        )


@dataclass(frozen=True)
class SurveyCell:
    """A comparison of a survey, as one command would make it.

    Attributes:
        wanted: what is to be compared, and how.
        opened: gives the network and the data set; picklable, if workers are other processes.
        settings: all that was asked for, as a study file of the cell holds it.
    """

    wanted: Wanted
    opened: Opened
    settings: Settings


def run_survey(
    cells: Mapping[CellName, SurveyCell], store: Store, execution: Execution = PLAIN, groups: Groups | None = None
) -> Survey:
    """Computes the cells that are not there yet, each a run of its own, and what they say together.

    A cell that fails is noted, and the others go on; it is tried again the next time. Cells that an earlier file named
    stay. Groups of images replace those that an earlier file gave.

    Raises:
        InputError: if no cell could be computed, or one was begun with another configuration.
        StoreError: if the disk or the service fails.
    """
    store.sweep()
    if execution.anew and store.exists(RECORD):
        begin_anew(store)
    known = list(_record(store).cells) if store.exists(RECORD) else []
    groups = groups or {}
    every = [*known, *(str(name) for name in cells if str(name) not in known)]
    stores = {name: cell_of(store, number) for number, name in enumerate(every)}
    for name, cell in cells.items():  # all at first: nothing is computed if one cannot be resumed
        _check(cell, stores[str(name)])
    failed: dict[str, str] = {}
    _begin(store, every, failed, groups)
    for number, (name, cell) in enumerate(cells.items()):
        here = stores[str(name)]
        if is_finished(here):
            continue
        advance = _part(execution.on_progress, number, len(cells))
        command = f"heatproof compare {here}/study.toml --out ANOTHER"
        try:
            run_comparison(
                cell.wanted, cell.opened, here, cell.settings,
                replace(execution, anew=False, on_progress=advance, reproduce=command),
            )  # fmt: skip
        except StoreError:
            raise
        except Exception as error:
            if ran_out(error):
                raise
            failed[str(name)] = _reason(error)
            _begin(store, every, failed, groups)
    found = read_survey(store)
    if not found.findings:
        raise InputError(f"no comparison could be made; the first: {': '.join(next(iter(failed.items())))}")
    found.write_results(store, execution.reproduce)
    return found


def merge_surveys(sources: Sequence[Store], out: Store) -> Survey:
    """Copies the finished cells of surveys into an empty store; one that several have is taken once.

    Raises:
        InputError: if one is no survey, or a cell has different configurations.
    """
    taken: dict[str, Store] = {}
    failed: dict[str, str] = {}
    groups: dict[str, dict[str, str]] = {}
    for source in sources:
        record = _record(source)
        failed |= record.failed
        for data, of_images in record.groups.items():
            groups.setdefault(data, {}).update(of_images)
        for number, name in enumerate(record.cells):
            here = cell_of(source, number)
            if is_finished(here) and name in taken:
                check_same(read_content(here), read_content(taken[name]), str(here))
            elif is_finished(here):
                taken[name] = here
    failed = {name: reason for name, reason in failed.items() if name not in taken}
    _begin(out, [*taken, *failed], failed, groups)
    for number, cell in enumerate(taken.values()):
        target = cell_of(out, number)
        for name in sorted(cell.names(), key=lambda name: name == RECORD):  # last: without it there is no run
            target.put(name, cell.get(name))
    return read_survey(out)


def is_finished(store: Store) -> bool:
    """Whether a cell is computed to the end."""
    return store.exists(RECORD) and read_run(store).complete is not None


def read_survey(store: Store) -> Survey:
    """The survey that a run holds, of its finished cells; needs neither networks nor pictures."""
    record = _record(store)
    findings, folders = [], {}
    for number, name in enumerate(record.cells):
        here = cell_of(store, number)
        if is_finished(here):
            cell = _named(name)
            findings.append(Finding.of(cell, gathered_from(here), record.groups.get(cell.data)))
            folders[name] = f"cells/{number:05}"
    failed = {name: reason for name, reason in record.failed.items() if name not in folders}
    return Survey(tuple(findings), failed, folders)


def _named(name: str) -> CellName:
    parts = name.split(BETWEEN)
    if len(parts) != len(CellName._fields):
        raise InputError(f"{name!r:.200} names no cell of a survey: expected NETWORK / DATA / PROTOCOL")
    return CellName(*parts)


def _record(store: Store) -> CellsRecord:
    record = CellsRecord.of(read_content(store), f"{RECORD} of {store}")
    if record.study != "survey":
        raise InputError(f"{store} holds a run of another study ({record.study}): choose another --out")
    return record


def _begin(store: Store, cells: Iterable[str], failed: Mapping[str, str], groups: Groups) -> None:
    told = {data: dict(of_images) for data, of_images in groups.items()}
    begin_record(store, "survey", configuration={}, cells=list(cells), failed=dict(failed), groups=told)


def _check(cell: SurveyCell, store: Store) -> None:
    """Refuses to go on with a cell that was begun otherwise."""
    if store.exists(RECORD):
        begun: dict[str, Any] = read_content(store)
        check_same(begun, {"configuration": dict(cell.settings)}, str(store))


def _reason(error: Exception) -> str:
    if isinstance(error, InputError):
        return str(error)
    return traceback.format_exception_only(error)[-1].strip()


def _part(on_progress: OnTotal | None, number: int, cells: int) -> OnTotal | None:
    """Progress of one cell as a share of all, which are taken to be equally large."""
    if on_progress is None:
        return None
    return lambda done, total: on_progress(number * total + done, cells * total)
