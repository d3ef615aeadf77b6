"""What a command gives back: to a reader, to a program, to a log, and to somebody who does not know what to type."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.main import get_command

from heatproof import cli
from heatproof.cli import printing
from heatproof.cli.application import EXIT_CODES, app
from heatproof.data import DATASETS
from heatproof.data.preprocessing import PRESETS
from heatproof.heatmaps import METHODS, WRAPPERS
from heatproof.options import names
from heatproof.perturbation import REGIONS, REPLACEMENTS
from heatproof.perturbation.engine import ENGINES
from heatproof.perturbation.scores import SCORES
from heatproof.studies.further import FURTHER

HEAVY = ("torch", "numpy", "polars", "matplotlib", "scipy", "zarr", "jinja2", "PIL")
REPOSITORY = Path(__file__).parents[2]


def commands(group=None, before="heatproof"):
    """Every command with the words that call it."""
    for name, command in (group or get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}", command


TINY = ("--network", "tiny_networks:cnn", "--methods", "sensitivity-l2,random")


@pytest.mark.parametrize(
    "arguments", ["", "--help", "--version", "compar", "compare --help", "check --help", "init {}/study.toml"]
)
def test_words_need_no_torch(arguments, tmp_path):
    code = (
        "import sys\nfrom heatproof import cli\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, *arguments.format(tmp_path).split()], capture_output=True, text=True, check=True
    )
    assert found.stderr.splitlines()[-1] == "[]"


def test_importing_heatproof_needs_no_torch_and_all_its_names_are_found():
    code = (
        "import sys, heatproof\n"
        f"assert not set({HEAVY!r}) & set(sys.modules)\n"
        "assert set(heatproof.__all__) <= set(dir(heatproof))\n"
        "for name in heatproof.__all__:\n    getattr(heatproof, name)\n"
        "print(heatproof.measures.__name__)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "heatproof.measures\n"


@pytest.mark.parametrize("words", [words for words, _ in commands()])
def test_every_command_has_examples(words):
    command = dict(commands())[words]
    assert f"[bold]{words}" in (command.help or ""), f"{words} needs an example: [bold]{words} …[/bold]"


@pytest.mark.parametrize("words", [words for words, _ in commands()])
def test_every_command_says_how_it_answers(words):
    assert {"--json", "--quiet"} <= {name for option in dict(commands())[words].params for name in option.opts}


def test_alone_it_says_in_three_lines_what_to_do(run):
    code, out, _ = run()
    assert (code, len(out.splitlines())) == (0, 3)
    assert max(map(len, out.splitlines())) <= 80
    for line in out.splitlines():
        word = line.split()[1]
        assert word == "--help" or any(words == f"heatproof {word}" for words, _ in commands())


def test_exit_codes_are_in_the_help_and_in_the_readme(run):
    _, out, _ = run("--help")
    readme = (REPOSITORY / "README.md").read_text()
    for code, meaning in EXIT_CODES.items():
        assert f"{code} {meaning}" in " ".join(out.split())
        assert f"| {code} |" in readme


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compar"], "No such command 'compar'. Did you mean 'compare'?; see 'heatproof --help'"),
        (["compare", "--protocol=samek2017", "--metods", "x"], "No such option: --metods"),
        (["plan", "--protocol=samek2017", "photos", "--repeats", "many"], "see 'heatproof plan --help'"),
        (["report"], "Missing argument 'RUN'; see 'heatproof report --help'"),
    ],
)
def test_wrong_words_get_one_line(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (cli.INPUT_ERROR, "")
    assert message in err
    assert len(err.splitlines()) == 1


class TestJson:
    def test_a_comparison(self, run, photos, tmp_path):
        (photos / "broken.png").write_bytes(b"nothing")
        code, out, _ = run(
            "compare", "--protocol=samek2017", photos, *TINY, "--steps", "2", "--out", "RUN", "--audit", "0", "--json"
        )
        found = json.loads(out)
        assert code == found["exit_code"] == cli.PARTIAL
        assert found["run"] == "RUN"
        assert Path(found["page"]).is_file()
        assert found["table"]["columns"][:2] == ["method", "AOPC"]
        assert {row[0] for row in found["table"]["rows"]} == {"sensitivity-l2", "random", "random order"}
        assert found["verdict"] == json.loads((tmp_path / "RUN" / "run.json").read_text())["verdict"]
        assert found["skipped"][0]["image"].endswith("broken.png")
        assert found["warnings"]
        assert json.loads(run("status", "RUN", "--json")[1])["state"] == "finished"
        assert json.loads(run("metrics", "RUN", "--json")[1])["table"]["rows"]
        again = json.loads(run("report", "RUN", "--json")[1])
        assert again["table"] == found["table"]

    def test_other_commands(self, run, photos):
        plan = json.loads(
            run("plan", "--protocol=samek2017", photos, *TINY, "--steps", "2", "--audit", "0", "--json")[1]
        )
        assert plan["forecast"]["evaluations"] == 2 * (1 + 3 * 2)
        files = json.loads(run("explain", photos, *TINY, "--json")[1])["files"]
        assert len(files) == 4
        assert all(Path(file).is_file() for file in files)
        assert "lrp-epsilon[epsilon=0.01,bias=include]" in json.loads(run("list", "methods", "--json")[1])["methods"]
        assert json.loads(run("init", "new.toml", "--json")[1])["file"] == "new.toml"

    def test_an_error_is_one_object_too(self, run, photos):
        for arguments in (
            ["compare", "--protocol=samek2017", photos, "--network", "torchvison:x", "--out", "R"],
            ["compare", "--protocol=samek2017", "--nothing"],
        ):
            code, out, err = run(*arguments, "--json")
            found = json.loads(out)
            assert (code, found["exit_code"]) == (2, 2)
            assert f"heatproof: {found['error']}" == err.strip()

    def test_what_a_network_prints_stays_away_from_it(self, run, photos):
        (photos.parent / "loud.py").write_text(
            "import tiny_networks\nprint('hello')\ndef f():\n    return tiny_networks.cnn()\n"
        )
        _, out, err = run("explain", photos, "--network", "loud.py:f", "--methods", "random", "--json")
        assert json.loads(out)["exit_code"] == 0
        assert "hello" in err


class TestNoTerminal:
    def test_no_bars_and_no_control_codes(self, run, photos):
        _, out, err = run(
            "compare", "--protocol=samek2017", photos, *TINY, "--steps", "2", "--out", "RUN", "--audit", "0"
        )
        assert "\x1b" not in out + err
        assert "\r" not in out + err
        assert "━" not in err

    def test_quiet_says_nothing_of_progress_on_a_terminal_either(self, monkeypatch):
        monkeypatch.setattr(printing, "console", terminal := Console(file=io.StringIO(), force_terminal=True))
        monkeypatch.setattr(printing.output, "quiet", True)
        with printing.progress("images") as advance, printing.waiting("for it"):
            advance(1, 2)
        assert terminal.file.getvalue() == ""
        printing.warn(["this is said"])
        assert "this is said" in terminal.file.getvalue()

    def test_no_color(self, photos):
        code = "from heatproof.cli.printing import console; print(console.no_color)"
        found = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | {"NO_COLOR": "1"}
        )
        assert found.stdout == "True\n"


class TestCompletion:
    """What is read from the sources is what is registered."""

    @pytest.mark.parametrize(
        ("kind", "registry"),
        [
            ("methods", METHODS),
            ("prefixes", WRAPPERS),
            ("replacements", REPLACEMENTS),
            ("scores", SCORES),
            ("regions", REGIONS),
            ("measures", FURTHER),
            ("data", DATASETS),
        ],
    )
    def test_names_that_are_registered(self, kind, registry):
        assert names.registered(kind) == sorted(registry)

    def test_names_that_are_written_down(self):
        assert set(names.PRESETS) == set(PRESETS)
        assert set(names.ENGINES) == set(ENGINES)

    def test_a_shell_completes_without_torch(self):
        words = "heatproof compare --methods lrp-epsilon,sens"
        environment = os.environ | {"_HEATPROOF_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3"}
        code = (
            "import sys\nfrom heatproof import cli\nsys.argv = ['heatproof']\n"
            "try:\n    cli.main()\nfinally:\n    assert 'torch' not in sys.modules"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        expected = [f"lrp-epsilon,{name}" for name in sorted(METHODS) if name.startswith("sens")]
        assert found.stdout.split() == expected, found.stderr
