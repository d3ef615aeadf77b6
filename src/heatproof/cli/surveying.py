"""``heatproof survey``, and ``hp.survey``: comparisons of many networks, data sets and protocols, from one file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heatproof.cli.application import app
from heatproof.cli.keys import Key, arguments_of, validated
from heatproof.cli.output import tell
from heatproof.cli.places import RunPlace
from heatproof.cli.printing import print_table, waiting
from heatproof.cli.results import deliver
from heatproof.cli.study_file import STUDY, StudyCommand, command_of, settings_of
from heatproof.cli.working import HERE, Working, opened_anew
from heatproof.errors import InputError
from heatproof.options.option import Option, shared_values
from heatproof.registry import unknown
from heatproof.runs.study_file import Settings, read_toml

if TYPE_CHECKING:
    from heatproof.cli.explaining import Explaining
    from heatproof.data import Dataset
    from heatproof.network import Network
    from heatproof.options.studies import CompareOptions
    from heatproof.report import Table
    from heatproof.results.findings import CellName
    from heatproof.studies.planning.forecast import Forecast
    from heatproof.studies.survey import Survey, SurveyCell

OWN = {"until", "indifference", "share", "on", "address", "workers", "cores", "out", "protocol"}  # not a cell's
SECTIONS = ("networks", "data")
ON = "on"  # of a network: the data sets that it meets
GROUPS = "groups"  # of a data set: a table of the groups of its images

File = Annotated[
    Path, Option("Survey file: networks, data sets and protocols.", positional=True, metavar="SURVEY.toml")
]


Plan = Annotated[
    bool, Option("Only say what each comparison will take, from a small part of it.", name="plan", in_files=False)
]


@app.command("survey")
def survey_command(
    *, context: typer.Context, file: File, place: RunPlace, plan: Plan = False, workers: Working
) -> None:
    r"""Which conclusions hold across networks, data sets and protocols?

    [bold]heatproof survey survey.toml --out SURVEY --plan[/bold]

    [bold]heatproof survey survey.toml --out SURVEY[/bold]

    Each comparison is a run of its own; the same command resumes, and computes what the file has got meanwhile.
    """
    from heatproof.studies.survey import run_survey

    if plan:
        print_table(planned(file))
        return
    cells, groups = dict(cells_of(file, workers)), groups_of(file)
    tell(cells=[str(name) for name in cells])
    with place.held(context) as store, workers.execution(place) as execution:
        study = run_survey(cells, store, execution, groups)
    deliver(study, place, holding="tables, figures, cells.parquet (every value), cells/ (a run for each comparison)")


def survey(file: str | Path, out: str | Path | None = None) -> "Survey":
    """Makes the comparisons of a survey file that are not there yet, and says what they show together.

    Args:
        file: ``survey.toml``, see ``docs/survey.md``.
        out: folder or URL of the survey; by default a folder beside the file, of its name without the ending.

    Returns:
        A ``Survey``: ``.table()``, ``.verdict``, ``.findings``, ``.general(protocol)``, ``.report(path)``.

    Raises:
        InputError: if the file is no survey, or no comparison could be computed.

    >>> survey("nowhere.toml")
    Traceback (most recent call last):
    heatproof.errors.InputError: there is no study file 'nowhere.toml'; 'heatproof init nowhere.toml' writes one
    """
    from heatproof.runs.destination import destination
    from heatproof.studies.survey import run_survey

    path = Path(file)
    place = path.with_suffix("") if out is None else out
    with destination(place, inputs=[path], resumes=True) as store:
        return run_survey(dict(cells_of(path, Working())), store, groups=groups_of(path))


def cells_of(file: Path, workers: Working) -> "Iterator[tuple[CellName, SurveyCell]]":
    """The comparisons that a survey file asks for.

    Raises:
        InputError: if it is no survey, or has unknown keys or values of another kind.
    """
    from heatproof.studies.compare import wanted_comparison
    from heatproof.studies.survey import SurveyCell

    networks = _Networks()
    for name, given, options, settings in asked_of(file):
        with _named(name):
            wanted = wanted_comparison(options, given.methods_and_files())
        opened = networks.opened if workers.on == HERE else opened_anew
        yield name, SurveyCell(wanted, partial(opened, given, options.seed), settings)


def planned(file: Path) -> "Table":
    """What each comparison will take, measured on a small part of it; on other data of one size it takes as long."""
    from heatproof.data import read_pictures
    from heatproof.options.studies import PlanOptions
    from heatproof.report import Table
    from heatproof.studies import plan_comparison
    from heatproof.wording import duration

    networks, rows, total = _Networks(), [], 0.0
    known: dict[str, Forecast] = {}
    every = list(asked_of(file))
    for number, (name, given, options, _) in enumerate(every):
        with _named(name), waiting(f"measuring {name} ({number + 1} of {len(every)}; {duration(total)} so far)"):
            network, dataset = networks.opened(given, options.seed)
            pictures = read_pictures(dataset, network.preprocessing)
            asked = shared_values(options, PlanOptions)
            key = repr((replace(given, data=None, images=None), asked, pictures.images.shape))
            if key not in known:
                known[key] = plan_comparison(network, pictures.images, given.methods_for(pictures), **asked)
        forecast = known[key]
        rows.append((*name, forecast.images, forecast.evaluations, duration(forecast.seconds)))
        total += forecast.seconds
    rows.append(("all", "", "", sum(row[3] for row in rows), sum(row[4] for row in rows), duration(total)))
    return Table(("network", "data", "protocol", "images", "evaluations", "time"), tuple(rows))


def asked_of(file: Path) -> "Iterator[tuple[CellName, Explaining, CompareOptions, Settings]]":
    """The options of ``heatproof compare`` for each comparison, and all its settings."""
    compare = command_of("compare", typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    for name, settings in settings_of_cells(file, compare):
        with _named(name):
            yield name, *_read(compare, settings)


@contextmanager
def _named(name: "CellName") -> Iterator[None]:
    """Says which comparison an input was wrong for."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def settings_of_cells(file: Path, compare: StudyCommand) -> "list[tuple[CellName, Settings]]":
    """What each comparison is asked for: keys of all, of its network, and of its data, the later ones first."""
    from heatproof.results.findings import CellName

    content = read_toml(file)
    if content.pop(STUDY, None) != "survey":
        raise InputError(f'{str(file)!r} is no survey: expected the line {STUDY} = "survey" in it')
    protocols = _names(content.pop("protocols", ["auto"]), f"{file}: protocols")
    sections = {kind: _sections(content.pop(kind, {}), f"{file}: [{kind}]") for kind in SECTIONS}
    keys = {name: key for name, key in compare.keys.items() if name not in OWN}
    shared = _settings(content, keys, file, str(file))
    data = {
        name: _settings({k: v for k, v in section.items() if k != GROUPS}, keys, file, f"{file}: [data.{name}]")
        for name, section in sections["data"].items()
    }
    cells = []
    for network, section in sections["networks"].items():
        where = f"{file}: [networks.{network}]"
        on = _names(section.pop(ON, list(data)), f"{where}: {ON}")
        unknown_data = [one for one in on if one not in data]
        if unknown_data:
            raise InputError(unknown(f"data set of {where}", unknown_data[0], list(data)))
        own = _settings(section, keys, file, where)
        for one in on:
            for number, protocol in enumerate(protocols):
                every = shared | own | data[one] | {"protocol": protocol}
                once = {"planted": False} if number and every.get("planted") else {}  # it does not depend on protocols
                cells.append((CellName(network, one, protocol), every | once))
    return cells


def groups_of(file: Path) -> dict[str, dict[str, str]]:
    """The group of each image, by data set, where tables of groups are given.

    Raises:
        InputError: for a table that cannot be read.
    """
    from heatproof.data.groups import read_groups

    sections = _sections(read_toml(file).get("data", {}), f"{file}: [data]")
    given = {name: section[GROUPS] for name, section in sections.items() if GROUPS in section}
    wrong = next((name for name, table in given.items() if not isinstance(table, str)), None)
    if wrong is not None:
        raise InputError(f"{file}: [data.{wrong}]: {GROUPS}: expected the name of a CSV file, got {given[wrong]!r:.80}")
    return {name: read_groups(file.parent / table) for name, table in given.items()}


class _Networks:
    """Opens networks; the last one is kept, since several comparisons in a row ask for it."""

    def __init__(self) -> None:
        self.last: tuple[str, Network] | None = None

    def opened(self, given: "Explaining", seed: int) -> "tuple[Network, Dataset]":
        """The network and the data set."""
        key = repr(replace(given, data=None, images=None, count=None, first=False, methods=None, heatmaps=None))
        if self.last is None or self.last[0] != key:
            self.last = None  # its memory first
            self.last = key, given.load_network()
        return self.last[1], given.dataset(seed=seed)


def _read(compare: StudyCommand, settings: Settings) -> "tuple[Explaining, CompareOptions, Settings]":
    """The options of ``heatproof compare`` for a cell, and all its settings."""
    keys = compare.keys
    defaults = {keys[key].declared.field: keys[key].argument(value) for key, value in settings.items()}
    context = compare.make_context("compare", [], default_map=defaults | {"out": "unused"})
    made = arguments_of(compare.callback, context.params)
    every = {key: value for key, value in settings_of(context).items() if key != "out"}  # type: ignore[arg-type]
    return made["given"], made["options"], every | {"methods": every.get("methods", made["given"].method_names)}


def _settings(content: Mapping[str, Any], keys: Mapping[str, Key], file: Path, where: str) -> Settings:
    """Keys of a comparison, with paths taken from the file's folder."""
    return {name: keys[name].placed(value, file.parent) for name, value in validated(content, keys, where).items()}


def _sections(content: Any, where: str) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - whatever TOML holds
    """Named sections, at least one."""
    if not isinstance(content, dict) or not content or not all(isinstance(one, dict) for one in content.values()):
        raise InputError(f"{where}: expected at least one section, such as [{where.rpartition('[')[2][:-1]}.photos]")
    wrong = next((name for name in content if "/" in name or not name.isprintable()), None)
    if wrong is not None:
        raise InputError(f"{where}: expected names without slashes, got {wrong!r:.80}")
    return {name: dict(one) for name, one in content.items()}


def _names(given: Any, where: str) -> list[str]:  # noqa: ANN401 - whatever TOML holds
    """A list of texts, each once, at least one."""
    texts = [one for one in given if isinstance(one, str)] if isinstance(given, list) else []
    if not texts or len(set(texts)) < len(given):
        raise InputError(f"{where}: expected a list of texts, each once, got {given!r:.80}")
    return texts
