"""A list of runs: what it shows, and the page with links that it may become."""

import json
import os
import re
import stat
import tempfile
import webbrowser
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import pytest
from tests.records import SAVED, marker, of_data

from heatproof import cli
from heatproof.runs import run_list, run_record
from heatproof.runs.lock import locked
from heatproof.runs.run_list import runs_below

HOSTILE = "<img src=x onerror=alert(1)>"
VERDICT = [f"LRP wins & {HOSTILE}", "A second sentence."]
UNFINISHED = of_data(name="photos", members=9) | {"shard_size": 4}


def finished(folder, **changed):
    """A run as ``study.save`` writes it, with a page, a figure and a table."""
    folder.mkdir(parents=True)
    record = SAVED | {"verdict": VERDICT} | changed
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "report.html").write_text("<p>the page</p>")
    (folder / "curves.png").write_bytes(b"\x89PNG")
    (folder / "curves.svg").write_text("<svg/>")
    (folder / "table.csv").write_text("a,b\n")
    (folder / "scores.parquet").write_bytes(b"PAR1")
    return folder


def unfinished(folder):
    """A run in shards, with one of three done."""
    (folder / "shards").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(UNFINISHED))
    (folder / "shards" / "00000.json").write_text(json.dumps(marker(0, 3, 1, size=4)))
    return folder


def dated(folder, seconds):
    os.utime(folder / "run.json", (seconds, seconds))


class TestList:
    def test_what_lies_below_a_folder_the_newest_first(self, run, tmp_path):
        dated(finished(tmp_path / "deep" / "er" / "old"), 1_000_000_000)
        dated(unfinished(tmp_path / "stopped"), 1_700_000_000)
        dated(finished(tmp_path / "new", skipped=[]), 1_600_000_000)
        code, out, err = run("view", tmp_path)
        assert (code, err) == (0, "")
        head, *lines = out.splitlines()
        assert head.split() == ["study", "state", "images", "verdict", "date", "(UTC)", "path"]
        assert [line.split()[-1] for line in lines] == ["stopped", "new", "deep/er/old"]
        assert lines[0].split() == ["compare", "stopped", "3", "of", "9", "2023-11-14", "22:13", "stopped"]
        assert f"assess  finished 2      {VERDICT[0]} 2020-09-13 12:26" in lines[1]
        assert VERDICT[1] not in out

    def test_json_has_the_same(self, run, tmp_path):
        dated(finished(tmp_path / "one"), 1_600_000_000)
        code, out, _ = run("view", tmp_path, "--json")
        found = json.loads(out)
        assert (code, found["exit_code"]) == (0, 0)
        assert found["runs"] == [
            {
                "name": "one",
                "path": str(tmp_path / "one"),
                "study": "assess",
                "state": "finished",
                "images": 2,
                "members": None,
                "verdict": VERDICT[0],
                "date": "2020-09-13T12:26:40+00:00",
            }
        ]

    def test_the_folder_may_be_a_run_itself_and_is_the_one_where_one_is(self, run, tmp_path, monkeypatch):
        monkeypatch.chdir(finished(tmp_path / "one"))
        assert [found["name"] for found in json.loads(run("view", "--json")[1])["runs"]] == ["."]

    def test_a_run_that_is_being_written(self, tmp_path):
        with locked(unfinished(tmp_path / "one")):
            assert [found.state for found in runs_below(tmp_path).runs] == ["running"]
        assert [found.state for found in runs_below(tmp_path).runs] == ["stopped"]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "not JSON"),
            (b'{"schema": 1, "study": "comp', "not JSON"),
            (b"\xff\xfe\x00", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b'{"schema": ' + b"9" * 5000 + b"}", "not JSON"),
            (b"[]", "expected an object, got a list"),
            (
                b'{"schema": 3, "study": 7, "verdict": []}',
                "study must be 'compare', 'complexity', 'planted', 'stability' or 'randomisation', got 7",
            ),
            (b'{"study": "compare", "verdict": []}', "has schema None; this version reads 2 and 3"),
            (b'{"schema": 99, "study": "compare"}', "has schema 99; this version reads 2 and 3"),
            (
                json.dumps(UNFINISHED | {"shard_size": -1}).encode(),
                "shard_size must be greater than or equal to 1, got -1",
            ),
        ],
    )
    def test_a_torn_record_is_shown_as_such(self, run, tmp_path, content, reason):
        (tmp_path / "torn").mkdir()
        (tmp_path / "torn" / "run.json").write_bytes(content)
        finished(tmp_path / "whole")
        code, out, _ = run("view", tmp_path)
        assert code == 0
        (line,) = [line for line in out.splitlines() if "unreadable" in line]
        assert reason in line
        assert "finished" in out

    @pytest.mark.parametrize(
        "changed",
        [
            {"verdict": "text"}, {"verdict": [1, {}]}, {"verdict": {}}, {"images": 7}, {"images": None},
            {"images": {"a.png": None}}, {"study": "another"}, {"skipped": [["a", "b"]]}, {"complete": 1},
            {"reproduce": ["rm"]}, {"machine": []},
        ],
    )  # fmt: skip
    def test_odd_records_are_listed_as_unreadable(self, tmp_path, changed):
        finished(tmp_path / "odd", **changed)
        finished(tmp_path / "whole")
        by_name = {found.name: found for found in runs_below(tmp_path).runs}
        assert (by_name["odd"].state, by_name["whole"].state) == ("unreadable", "finished")
        assert next(iter(changed)) in by_name["odd"].verdict

    def test_no_error_ends_the_list(self, tmp_path, monkeypatch):
        def broken(*_):
            raise RuntimeError("a bug of ours")

        monkeypatch.setattr(run_list, "read_any", broken)
        finished(tmp_path / "one")
        finished(tmp_path / "two")
        assert [(found.state, found.verdict) for found in runs_below(tmp_path).runs] == [
            ("unreadable", "a bug of ours")
        ] * 2

    def test_a_record_that_is_too_large_is_not_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr(run_record, "LARGEST_RECORD", 10)
        finished(tmp_path / "large")
        assert [found.state for found in runs_below(tmp_path).runs] == ["unreadable"]

    def test_dates_that_no_calendar_has(self, tmp_path):
        for seconds in (-1, 10**12):
            dated(finished(tmp_path / str(seconds)), seconds)
        assert {found.date.year for found in runs_below(tmp_path).runs} <= {1970, 2446, 5138}

    def test_links_pipes_and_hidden_folders_are_left_out(self, tmp_path):
        finished(tmp_path / "elsewhere" / "run")
        place = tmp_path / "runs"
        finished(place / ".partial")
        (place / "link").symlink_to(tmp_path / "elsewhere")
        (place / "loop").symlink_to(place)
        for name in ("record", "pipe", "folder"):
            (place / name).mkdir()
        (place / "record" / "run.json").symlink_to(tmp_path / "elsewhere" / "run" / "run.json")
        os.mkfifo(place / "pipe" / "run.json")
        (place / "folder" / "run.json").mkdir()
        assert {(found.name, found.state) for found in runs_below(place).runs} == {
            ("record", "unreadable"),
            ("pipe", "unreadable"),
        }
        assert [found.name for found in runs_below(place / "link").runs] == ["run"]  # a link that one names is meant

    def test_the_search_ends(self, tmp_path, monkeypatch):
        finished(tmp_path / "/".join("123456789"))
        finished(tmp_path / "/".join("abcdefgh"))
        found = runs_below(tmp_path)
        assert [run.name for run in found.runs] == ["a/b/c/d/e/f/g/h"]
        assert found.notes == ("folders more than 8 levels deep were not searched",)
        monkeypatch.setattr(run_list, "MOST_RUNS", 2)
        for number in range(4):
            finished(tmp_path / str(number + 2))
        found = runs_below(tmp_path)
        assert len(found.runs) == 2
        assert "not all was searched" in found.notes[-1]
        monkeypatch.setattr(run_list, "MOST_ENTRIES", 3)
        assert "not all was searched" in runs_below(tmp_path).notes[-1]

    def test_what_lies_in_a_run_is_not_searched(self, tmp_path):
        finished(finished(tmp_path / "outer") / "inner")
        assert [found.name for found in runs_below(tmp_path).runs] == ["outer"]

    def test_names_do_not_move_the_cursor(self, run, tmp_path):
        finished(tmp_path / "a\x1b[31m\u202eb", verdict=["[bold]x\x1b[2J"])
        finished(tmp_path / os.fsdecode(b"\xff"))
        _, out, _ = run("view", tmp_path)
        assert not {"\x1b", "\u202e"} & set(out)
        assert "[bold]x" in out
        assert len(json.loads(run("view", tmp_path, "--json")[1])["runs"]) == 2

    @pytest.mark.parametrize("place", ["nothing", "s3://bucket/runs"])
    def test_what_is_no_folder_is_refused(self, run, tmp_path, monkeypatch, place):
        monkeypatch.chdir(tmp_path)
        code, _, err = run("view", place)
        assert code == cli.INPUT_ERROR
        assert "expected a folder with runs" in err

    def test_nothing_is_written_but_a_page(self, run, tmp_path):
        finished(tmp_path / "one")
        before = sorted(tmp_path.rglob("*"))
        assert run("view", tmp_path)[0] == run("view", tmp_path, "--json")[0] == 0
        assert sorted(tmp_path.rglob("*")) == before


def links_of(page):
    """The policy of a page, its links, and all of its text."""
    text = page.read_text(encoding="utf-8")
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', text)
    return policy, re.findall(r'<a href="([^"]*)">', text), text


def led_to(page, link):
    """The file that a browser opens for a link of a page."""
    address = urlsplit(urljoin(page.as_uri(), link))
    assert (address.scheme, address.netloc, address.query, address.fragment) == ("file", "", "", "")
    return Path(os.fsdecode(unquote_to_bytes(address.path)))


class TestPage:
    def test_it_links_to_reports_figures_and_tables(self, run, tmp_path):
        one = finished(tmp_path / "runs" / "deep" / "one")
        dated(unfinished(tmp_path / "runs" / "two"), 1_000_000_000)
        code, out, _ = run("view", tmp_path / "runs", "--page", tmp_path / "runs" / "index.html")
        assert code == 0
        assert out.splitlines()[-1] == str(tmp_path / "runs" / "index.html")
        policy, links, text = links_of(tmp_path / "runs" / "index.html")
        assert links == [
            f"deep/one/{name}" for name in ("report.html", "curves.png", "curves.svg", "scores.parquet", "table.csv")
        ]
        assert {led_to(tmp_path / "runs" / "index.html", link).parent for link in links} == {one}
        assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        assert "<h2>two</h2>" in text
        assert "2 runs, the newest first" in text
        assert not re.search(r"@import|url\(|https?://|<script|<img", text)

    @pytest.mark.parametrize("place", ["runs/index.html", "beside/index.html", "here/index.html"])
    def test_links_lead_there_from_everywhere(self, run, tmp_path, monkeypatch, place):
        one = finished(tmp_path / "runs" / "one")
        (tmp_path / "beside").mkdir()
        (tmp_path / "far" / "away").mkdir(parents=True)
        (tmp_path / "here").symlink_to(tmp_path / "far" / "away")
        monkeypatch.chdir(tmp_path)
        found = json.loads(run("view", "runs", "--page", place, "--json")[1])
        page = Path(found["page"])
        assert page == Path(os.path.realpath(place))
        assert led_to(page, links_of(page)[1][0]) == one / "report.html"

    def test_names_and_verdicts_are_escaped_and_links_encoded(self, run, tmp_path):
        names = [
            HOSTILE,
            "javascript:alert(1)",
            "50 %22\"'?x=1#y&amp;",
            "\\\\host\\a",
            "a\nb\u202e",
            os.fsdecode(b"\xff\xfe"),
        ]
        for name in names:
            finished(tmp_path / name, verdict=["</style><script>alert(2)</script>\u202e"])
            (tmp_path / name / f"{name}.png").write_bytes(b"")
        page = tmp_path / "index.html"
        assert run("view", tmp_path, "--page", page)[0] == 0
        _, links, text = links_of(page)
        assert not re.search("<img|<script|</style><|\u202e", text)
        assert "&lt;img src=x onerror=alert(1)&gt;" in text
        assert len(links) == 6 * len(names)
        assert all(re.fullmatch(r"([\w./~-]|%[0-9A-F]{2})+", link, re.ASCII) for link in links)
        assert {led_to(page, link) for link in links} == {
            tmp_path / name / file
            for name in names
            for file in (f"{name}.png", "report.html", "curves.png", "curves.svg", "scores.parquet", "table.csv")
        }

    def test_what_is_not_linked(self, run, tmp_path):
        (tmp_path / "secret.png").write_text("secret")
        one = finished(tmp_path / "runs" / "one")
        (one / "report.html").unlink()
        (one / "report.html").symlink_to(tmp_path / "secret.png")
        (one / "out.png").symlink_to(tmp_path / "secret.png")
        (one / "folder.png").mkdir()
        os.mkfifo(one / "pipe.png")
        for name in ("notes.txt", "index.html", "code.js"):
            (one / name).write_text("")
        finished(tmp_path / "elsewhere")
        (tmp_path / "runs" / "link").symlink_to(tmp_path / "elsewhere")
        page = tmp_path / "runs" / "index.html"
        assert run("view", tmp_path / "runs", "--page", page)[0] == 0
        names = ("curves.png", "curves.svg", "scores.parquet", "table.csv")
        assert links_of(page)[1] == [f"one/{name}" for name in names]

    @pytest.mark.parametrize(
        ("page", "message"),
        [
            ("mine.html", "'mine.html' exists already; choose another name"),
            ("runs", "'runs' exists already"),
            ("", "expected a name, a path or a number for --page, got an empty text"),
            ("none/index.html", "there is no folder 'none' to write into"),
            ("runs/one/index.html", "'runs/one/index.html' lies in "),
        ],
    )
    def test_where_it_is_not_written(self, run, tmp_path, monkeypatch, page, message):
        monkeypatch.chdir(tmp_path)
        finished(tmp_path / "runs" / "one")
        (tmp_path / "mine.html").write_text("mine")
        before = sorted(tmp_path.rglob("*"))
        code, out, err = run("view", "runs", "--page", page)
        assert (code, out) == (cli.INPUT_ERROR, "")
        assert message in err
        assert sorted(tmp_path.rglob("*")) == before
        assert (tmp_path / "mine.html").read_text() == "mine"

    def test_where_there_are_no_runs(self, run, tmp_path):
        code, out, _ = run("view", tmp_path, "--page", tmp_path / "index.html")
        assert code == 0
        assert "No runs lie in or below" in out
        assert "0 runs" in links_of(tmp_path / "index.html")[2]


class TestOpen:
    @pytest.fixture
    def opened(self, monkeypatch, tmp_path):
        """Addresses that a browser was given; temporary files lie in a folder of the test."""
        (tmp_path / "temporary").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        found = []
        monkeypatch.setattr(webbrowser, "open", lambda address: not found.append(address))
        return found

    def test_the_page_that_was_written(self, run, tmp_path, opened):
        finished(tmp_path / "runs" / "one")
        page = tmp_path / "a page.html"
        assert run("view", tmp_path / "runs", "--page", page, "--open")[0] == 0
        assert opened == [page.as_uri()]
        assert list((tmp_path / "temporary").iterdir()) == []

    def test_a_temporary_one_for_this_user_with_links_from_the_root(self, run, tmp_path, opened):
        one = finished(tmp_path / "runs" / "a:b %")
        assert run("view", tmp_path / "runs", "--open")[0] == 0
        (page,) = (tmp_path / "temporary").glob("*/index.html")
        assert opened == [page.as_uri()]
        assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
        assert links_of(page)[1][0] == (one / "report.html").as_uri()
