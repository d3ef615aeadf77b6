"""Texts in a stranger's run are shown and never obeyed: on no terminal, in no page, in no command to be copied."""

import ast
import json
import re
import shlex
import shutil
import subprocess
from contextlib import nullcontext
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heatproof.cli.shell import shell_line
from heatproof.report.markdown import fenced
from heatproof.runs.ledger import digest
from heatproof.runs.lock import locked
from heatproof.studies.road.record import UNSAFE
from heatproof.visible import is_hidden, visible

WHOLE = Path(__file__).parent.parent / "studies" / "schema-2"
CLI = Path(__file__).parents[2] / "src" / "heatproof" / "cli"
# beginnings and ends of escape sequences, C1 controls, signs that turn text round, line breaks, fences
STEERING = "\x1b]0;t\x07\x1b[2J\x9b31m\x85\u202e\u2066\u200f\u2028\r\x00\x7f\u00ad\ufeff```\n~~~\n<b>"


def steering(value, key=""):
    """The JSON with every text that may say anything made one that steers a terminal."""
    if isinstance(value, dict):
        return {name: steering(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [steering(item, key) for item in value]
    free = isinstance(value, str) and key in (
        "notes", "name", "fingerprint", "reproduce", "verdict", "warnings", "worker", "reason", "weights_blake2b",
        "source", "error", "host", "since", "python", "system", "processor",
    )  # fmt: skip
    return f"{value}{STEERING}" if free else value


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A whole run whose texts, in records and tables, all steer."""
    run = tmp_path_factory.mktemp("hostile") / "run"
    shutil.copytree(WHOLE, run)
    for number in range(2):
        table = run / "shards" / f"{number:05}.images.parquet"
        names = pl.read_parquet(table).with_columns(
            pl.col("image") + STEERING, pl.col("class") + STEERING, pl.col("method")
        )
        names.write_parquet(table)
        other = run / "shards" / f"{number:05}.parquet"
        pl.read_parquet(other).with_columns(pl.col("image") + STEERING).write_parquet(other)
        path = run / "shards" / f"{number:05}.json"
        marker = steering(json.loads(path.read_text()))
        marker["objects"] = {"": digest(other.read_bytes()), ".images": digest(table.read_bytes())}
        path.write_text(json.dumps(marker))
    path = run / "run.json"
    path.write_text(json.dumps(steering(json.loads(path.read_text()))))
    (run / "failed").mkdir()
    failure = {"shard": 1, "error": STEERING, "tries": 1, "worker": STEERING}
    (run / "failed" / "00001.json").write_text(json.dumps(failure))
    return run


@pytest.fixture
def copied(hostile, tmp_path):
    return shutil.copytree(hostile, tmp_path / "run")


def hidden(text):
    return {letter for letter in text if is_hidden(letter) and letter != "\n"}


class Commands(HTMLParser):
    """The text of what a page offers to be copied."""

    def __init__(self):
        super().__init__()
        self.inside, self.found = False, []

    def handle_starttag(self, tag, attrs):
        self.inside = tag == "code" or (self.inside and tag != "pre")
        if self.inside:
            self.found.append("")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "code"

    def handle_data(self, data):
        if self.inside:
            self.found[-1] += data


@pytest.mark.parametrize("as_json", [False, True], ids=["for people", "as JSON"])
@pytest.mark.parametrize("command", ["status", "report", "metrics", "view", "merge"])
def test_no_command_obeys_a_record(run, copied, tmp_path, command, as_json):
    arguments = {"view": [tmp_path], "merge": [copied, "--out", tmp_path / "merged"]}
    if command == "status":  # that of a run with a failed shard, an unreadable one, and somebody who writes it
        record = json.loads((copied / "run.json").read_text())
        (copied / "run.json").write_text(json.dumps({key: record[key] for key in record if key != "verdict"}))
        (copied / "shards" / "00000.json").write_text(STEERING)
        (copied / "shards" / "00001.json").unlink()
    with locked(copied) if command == "status" else nullcontext():
        if command == "status":
            (copied / "lock").write_text(json.dumps({"pid": 1, "host": STEERING, "since": STEERING}))
        code, out, err = run(command, *arguments.get(command, [copied]), *(["--json"] if as_json else []))
    assert code == 0, err
    assert len(out) > 100
    if command == "status" and not as_json:
        assert out.count("]0;t") >= 5  # place, data, holder, failed shard: they are shown, in another form
    assert hidden(out + err) == set()
    if as_json:
        json.loads(out)
    if command in ("report", "merge"):
        written = copied if command == "report" else tmp_path / "merged"
        check_written(written)


def check_written(folder):
    page = (folder / "report.html").read_text()
    commands = Commands()
    commands.feed(page)
    assert any(UNSAFE in text for text in commands.found)
    assert not any(hidden(text) for text in commands.found)
    told = (folder / "reproduce.md").read_text()
    assert hidden(told) == set()
    first, second = told.split("\n\n")
    assert first == f"```\n{UNSAFE}\n```"
    fence = re.match("`+", second)[0]
    assert len(fence) == 4  # the network's name holds three
    assert second.rstrip("\n").endswith(f"\n{fence}")
    assert hidden((folder / "table.md").read_text()) == set()


def test_a_command_that_can_be_copied_stays(run, copied):
    record = json.loads((copied / "run.json").read_text()) | {"reproduce": "heatproof compare 'my ``` photos'"}
    (copied / "run.json").write_text(json.dumps(record))
    assert run("report", copied)[0] == 0
    assert (copied / "reproduce.md").read_text().startswith("````\nheatproof compare 'my ``` photos'\n````\n\n")


ANY_TEXT = st.text(st.one_of(st.characters(), st.sampled_from(STEERING + "'\"\\$`")), max_size=20)


@given(text=ANY_TEXT)
def test_any_text_is_made_visible(text):
    assert hidden(visible(text)) == set()
    assert len(visible(text)) == len(text)


@given(words=st.lists(ANY_TEXT.filter(lambda text: text.encode("utf-8", "replace").decode() == text), min_size=1))
def test_any_command_is_one_line_that_a_shell_may_read(words):
    line = shell_line(words)
    assert not any(map(is_hidden, line))
    if not any(map(is_hidden, "".join(words))):
        assert shlex.split(line) == words


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(words=st.lists(ANY_TEXT.filter(lambda text: "\0" not in text), min_size=1, max_size=4))
def test_a_shell_reads_the_same_words(words):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    wanted = [word.encode("utf-8", "surrogateescape") for word in words if is_text(word)]
    line = shell_line([word for word in words if is_text(word)])
    found = subprocess.run([bash, "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True).stdout
    assert not wanted or found == b"".join(word + b"\0" for word in wanted)


def is_text(word):
    try:
        word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


@given(text=ANY_TEXT)
def test_no_text_leaves_its_fence(text):
    first, *inside, last = fenced(text).split("\n")
    assert first == last
    assert not any(first in line for line in inside)
    assert hidden(fenced(text)) == set()


def test_all_that_is_printed_passes_one_place():
    """Only ``printing`` writes to a terminal: elsewhere a text could bypass ``visible``."""
    wrong = []
    for path in CLI.glob("*.py"):
        if path.name == "printing.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id in ("print", "echo", "secho"):
                wrong.append((path.name, called.id))
            if isinstance(called, ast.Attribute) and called.attr in ("echo", "secho", "print"):
                wrong.append((path.name, called.attr))
            if isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} & {"screen", "console"}:
                wrong.append((path.name, "a console"))
    assert wrong == []
