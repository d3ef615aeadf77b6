"""Every command on a page is one that there is: unknown options and commands, and missing arguments, fail."""

import re

import pytest
from tests.docs.pages import FENCE, ROOT, WITH_COMMANDS, commands, inline
from typer.main import get_command

from heatproof.cli.application import app

SHOWN = commands("heatproof")
CHEAP = ("list", "init", "--help", "--version")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the study file that docs/studies.md shows."""
    page = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    (tmp_path / "study.toml").write_text(next(one[2] for one in FENCE.finditer(page) if one[1] == "toml"))
    monkeypatch.chdir(tmp_path)


def parse(words):
    """Parses a command as the command line would; nothing is run."""
    command = get_command(app)
    context = command.make_context("heatproof", [], resilient_parsing=True)
    left = list(words[1:])
    while left and hasattr(command, "list_commands"):
        if left[0].startswith("-"):
            return command.make_context("heatproof", left, resilient_parsing=True)
        name, command, left = command.resolve_command(context, left)
        if command is None:
            raise AssertionError(f"no such command: {name}")
    return command.make_context(command.name, left, parent=context)


def test_there_are_commands_on_pages():
    assert len(SHOWN) > 30


@pytest.mark.parametrize("shown", SHOWN, ids=str)
def test_a_command_on_a_page_is_understood(shown, folder):
    parse(shown.words)


@pytest.mark.parametrize(
    "words",
    [("compare", "--nonsense"), ("compare",), ("nonsense",), ("check", "nonsense"), ("compare", "x", "--images", "x")],
)
def test_what_is_not_understood_fails(words, folder):
    with pytest.raises(Exception, match=r"(?i)no such|missing|valid integer"):
        parse(("heatproof", *words))


@pytest.mark.parametrize("shown", [one for one in SHOWN if one.words[1:] and one.words[1] in CHEAP], ids=str)
def test_a_cheap_command_runs(shown, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*shown.words[1:])
    assert (code, err) == (0, "")


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_commands_in_the_text_exist(page):
    known = get_command(app).commands
    named = [one.split()[1] for one in inline(page)]
    assert [name for name in named if not re.fullmatch(r"-.*|[A-Z]+|…", name) and name not in known] == []


@pytest.mark.parametrize("shown", commands("make"), ids=str)
def test_targets_of_make_exist(shown):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert [word for word in shown.words[1:] if "=" not in word and word not in targets] == []
