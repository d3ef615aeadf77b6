"""``--open`` shows what was written, says where that cannot be, and is no part of a study."""

import json
import webbrowser
from pathlib import Path

import pytest
from safetensors.torch import save_file
from tests.cli.tiny_networks import cnn

from heatproof.cli import compare
from heatproof.cli.application import app
from heatproof.cli.keys import keys_of
from heatproof.cli.opening import open_page

TINY = ("--network", "tiny_networks:cnn")
SMALL = ("--steps", "2", "--regions", "9")


@pytest.fixture
def opened(monkeypatch):
    """Addresses that a browser was given."""
    found = []
    monkeypatch.setattr(webbrowser, "open", lambda address: not found.append(address))
    return found


def test_the_page_of_a_comparison_and_no_trace_in_its_run(run, photos, opened, tmp_path):
    command = (
        "compare",
        "--protocol=samek2017",
        photos,
        *TINY,
        *SMALL,
        "--methods",
        "random",
        "--audit",
        "0",
        "--out",
        "a run",
    )
    code, plain, messages = run(*command)
    assert (code, opened) == (0, [])
    page = (tmp_path / "a run" / "report.html").as_uri()
    code, out, err = run(*command, "--open")  # it goes on with the run: it is the same one
    assert (code, opened) == (0, [page])
    assert len(out.splitlines()) == len(plain.splitlines())
    assert err == messages
    assert "open" not in json.loads((tmp_path / "a run" / "run.json").read_text())["configuration"]
    assert "open" not in (tmp_path / "a run" / "study.toml").read_text().split()
    assert run("report", "a run", "--open")[0] == 0
    assert run("report", (tmp_path / "a run").as_uri(), "--open", "--json")[0] == 0
    assert opened == [page] * 3


def test_pages_of_the_other_studies(run, photos, opened, tmp_path):
    Path("net.py").write_text("import tiny_networks\ndef module():\n    return tiny_networks.cnn().module\n")
    save_file(cnn().module.state_dict(), "net.safetensors")
    for words in (
        ("replacements", photos, *TINY, *SMALL, "--method", "sensitivity-l2", "--replacements", "uniform,black"),
        ("complexity", photos, *TINY, "--methods", "random"),
        ("assess", "net.safetensors", "--network", "net.py:module", *SMALL, "--data", "folder:photos"),
    ):
        code, _, err = run(*words, "--out", words[0], "--open")
        assert code == 0, err
        assert opened.pop() == (tmp_path / words[0] / "report.html").as_uri()


def test_the_page_of_explain(run, photos, opened, tmp_path):
    assert run("explain", photos, "--methods", "random", *TINY, "--out", "maps", "--open")[0] == 0
    assert opened == [(tmp_path / "maps" / "report.html").as_uri()]


def test_it_is_declared_once_and_stands_in_no_study_file():
    assert not keys_of(compare.compare_command)["open"].option.in_files
    with_it = {
        command.name for command in app.registered_commands if "opened" in command.callback.__signature__.parameters
    }
    assert with_it >= {"compare", "report", "replacements", "assess", "complexity", "explain", "view"}


class TestWhereThereIsNothingToOpen:
    def test_a_url(self, capsys, opened):
        open_page("memory://bucket/run")
        assert opened == []
        assert "memory://bucket/run is no folder of this machine: there is nothing to open" in capsys.readouterr().err

    @pytest.mark.parametrize("answer", [lambda address: False, lambda address: (_ for _ in ()).throw(webbrowser.Error)])
    def test_no_browser(self, monkeypatch, capsys, tmp_path, answer):
        monkeypatch.setattr(webbrowser, "open", answer)
        open_page(tmp_path / "a run")
        assert f"no browser was found; open {tmp_path.as_uri()}/a%20run/report.html" in capsys.readouterr().err

    @pytest.mark.parametrize("how", ["as_json", "quiet"])
    def test_nothing_is_added_where_little_is_to_be_said(self, monkeypatch, capsys, opened, how):
        monkeypatch.setattr(f"heatproof.cli.opening.output.{how}", True)
        open_page("memory://bucket/run")
        assert capsys.readouterr() == ("", "")
