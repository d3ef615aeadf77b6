"""Standard output and standard error that are full, closed, or read by nobody: no traceback, for any command."""

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMMANDS = {
    "alone": [],
    "help": ["--help"],
    "version": ["--version"],
    "list": ["list", "scores"],
    "list as JSON": ["list", "scores", "--json"],
    "fetch": ["fetch"],
    "help of a command": ["compare", "--help"],
    "help of a group": ["check", "--help"],
    "init": ["init", "{tmp}/study.toml"],
    "view": ["view", "{tmp}"],
}
WRONG = {"an option": ["list", "--nothing"], "a name": ["list", "nothing"], "as JSON": ["list", "nothing", "--json"]}
FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def run(arguments, tmp_path, out=subprocess.PIPE, err=subprocess.PIPE, before=None, module="heatproof"):
    """The exit code, and what was read of both streams."""
    command = [sys.executable, "-m", module, *(text.format(tmp=tmp_path) for text in arguments)]
    process = subprocess.Popen(
        command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, preexec_fn=before, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)]), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found = [text.decode() if text else "" for text in process.communicate(timeout=120)]
    return process.returncode, *found


@pytest.fixture
def unread():
    """A pipe whose reader is gone."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@pytest.fixture
def full():
    with FULL.open("wb") as device:
        yield device


@pytest.mark.parametrize("name", COMMANDS)
def test_output_that_nobody_reads_ends_quietly(name, tmp_path, unread):
    assert run(COMMANDS[name], tmp_path, out=unread) == (141, "", "")


@needs_full
@pytest.mark.parametrize("name", ["help", "list", "list as JSON", "view"])
def test_output_that_finds_no_room_is_one_message(name, tmp_path, full):
    code, _, err = run(COMMANDS[name], tmp_path, out=full)
    assert code == 74
    assert err.startswith("heatproof: standard output cannot be written: No space left on device; ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", ["list", "list as JSON"])
def test_output_that_was_closed_before_ends_quietly(name, tmp_path):
    assert run(COMMANDS[name], tmp_path, out=None, before=lambda: os.close(1)) == (141, "", "")


def test_what_was_closed_before_is_never_the_number_of_a_file(tmp_path):
    """All that is printed would go into the first file that is opened."""
    code, _, _ = run(["init", "study.toml"], tmp_path, out=None, err=None, before=lambda: os.closerange(0, 3))
    assert code == 141
    assert (tmp_path / "study.toml").read_text().startswith("# ")


@pytest.mark.parametrize("name", WRONG)
def test_messages_that_nobody_reads(name, tmp_path, unread):
    code, out, _ = run(WRONG[name], tmp_path, err=unread)
    assert code == 141
    assert "--json" not in WRONG[name] or json.loads(out)["error"].startswith("unknown list 'nothing'")


@needs_full
@pytest.mark.parametrize("name", WRONG)
def test_messages_that_find_no_room(name, tmp_path, full):
    code, out, _ = run(WRONG[name], tmp_path, err=full)
    assert code == 74
    assert "--json" not in WRONG[name] or json.loads(out)["exit_code"] == 74


def test_messages_that_were_closed_before_are_left_out(tmp_path):
    assert run(WRONG["a name"], tmp_path, err=None, before=lambda: os.close(2)) == (2, "", "")


@pytest.mark.parametrize("bar", ["progress('images')", "waiting('for it')"])
def test_a_terminal_that_goes_while_a_bar_draws(bar, tmp_path):
    (tmp_path / "drawing.py").write_text(
        "import sys, time\nfrom heatproof.cli import main\nfrom heatproof.cli.application import app\n"
        "from heatproof.cli.printing import progress, say, waiting\n\n"
        f"@app.command('draw')\ndef draw() -> None:\n    with {bar}:\n        sys.stdout.write('go')\n"
        "        sys.stdout.flush()\n        time.sleep(1)\n\n"
        "sys.argv = ['heatproof', 'draw']\nmain()\n"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "drawing.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    os.read(ours, 1)
    time.sleep(0.2)
    os.close(ours)
    out = process.communicate(timeout=120)[0]
    assert process.returncode == 74  # a terminal that is gone is an error of input and output, and no pipe
    assert b"Traceback" not in out
