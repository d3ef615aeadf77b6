"""A list of runs, and a server for one reader on one machine: what it shows, and all that it refuses."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from tests.records import SAVED, marker, of_data

from heatproof import cli
from heatproof.cli import serving
from heatproof.cli.serving import RunServer
from heatproof.runs import below, run_record
from heatproof.runs.below import runs_below
from heatproof.runs.lock import locked

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


@contextmanager
def served(folder):
    with RunServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def ask(tmp_path):
    """Asks the server of ``tmp_path / "runs"``, in which a run lies; returns status, headers and body."""
    finished(tmp_path / "runs" / "one")
    with served(tmp_path / "runs") as server:

        def call(path="/", method="GET", host=None):
            connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
            connection.putrequest(method, path, skip_host=True)
            for name in [f"127.0.0.1:{server.server_address[1]}"] if host is None else host:
                connection.putheader("Host", name)
            connection.endheaders()
            answer = connection.getresponse()
            found = answer.status, answer.headers, answer.read()
            connection.close()
            return found

        call.server = server
        call.port = server.server_address[1]
        call.base = re.search(rb"/runs/[0-9a-f]{16}", call()[2])[0].decode()
        yield call


class TestList:
    def test_what_lies_below_a_folder_the_newest_first(self, run, tmp_path):
        dated(finished(tmp_path / "deep" / "er" / "old"), 1_000_000_000)
        dated(unfinished(tmp_path / "stopped"), 1_700_000_000)
        dated(finished(tmp_path / "new", skipped=[]), 1_600_000_000)
        code, out, err = run("view", tmp_path, "--no-serve")
        assert (code, err) == (0, "")
        head, *lines = out.splitlines()
        assert head.split() == ["study", "state", "images", "verdict", "date", "(UTC)", "path"]
        assert [line.split()[-1] for line in lines] == ["stopped", "new", "deep/er/old"]
        assert lines[0].split() == ["compare", "stopped", "3", "of", "9", "2023-11-14", "22:13", "stopped"]
        assert f"assess  finished 2      {VERDICT[0]} 2020-09-13 12:26" in lines[1]
        assert VERDICT[1] not in out

    def test_json_has_the_same_and_serves_nothing(self, run, tmp_path):
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

    def test_what_changed_is_seen(self, tmp_path):
        place = finished(tmp_path / "one")
        assert runs_below(tmp_path).runs[0].images == 2
        (place / "run.json").write_text(json.dumps(SAVED | {"images": [], "verdict": []}))
        assert runs_below(tmp_path).runs[0].images == 0

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "no JSON"),
            (b'{"schema": 1, "study": "comp', "no JSON"),
            (b"\xff\xfe\x00", "no JSON"),
            (b"[" * 100_000, "no JSON"),
            (b'{"schema": ' + b"9" * 5000 + b"}", "no JSON"),
            (b"[]", "an object was expected, got a list"),
            (b'{"schema": 3, "study": 7, "verdict": []}', "study must be 'compare', got 7"),
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
        code, out, _ = run("view", tmp_path, "--no-serve")
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

        monkeypatch.setattr(below, "read_any", broken)
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
        monkeypatch.setattr(below, "MOST_RUNS", 2)
        for number in range(4):
            finished(tmp_path / str(number + 2))
        found = runs_below(tmp_path)
        assert len(found.runs) == 2
        assert "not all was searched" in found.notes[-1]
        monkeypatch.setattr(below, "MOST_ENTRIES", 3)
        assert "not all was searched" in runs_below(tmp_path).notes[-1]

    def test_what_lies_in_a_run_is_not_searched(self, tmp_path):
        finished(finished(tmp_path / "outer") / "inner")
        assert [found.name for found in runs_below(tmp_path).runs] == ["outer"]

    def test_names_do_not_move_the_cursor(self, run, tmp_path):
        finished(tmp_path / "a\x1b[31m\u202eb", verdict=["[bold]x\x1b[2J"])
        finished(tmp_path / os.fsdecode(b"\xff"))
        _, out, _ = run("view", tmp_path, "--no-serve")
        assert not {"\x1b", "\u202e"} & set(out)
        assert "[bold]x" in out
        assert len(json.loads(run("view", tmp_path, "--json")[1])["runs"]) == 2

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nothing"], "'nothing' is no folder"),
            (["s3://bucket/runs"], "is no folder; give one that runs lie in or below"),
            ([".", "--open", "--no-serve"], "--open needs the pages served"),
            ([".", "--open", "--json"], "--open needs the pages served"),
            ([".", "--port", "70000"], "less than or equal to 65535"),
        ],
    )
    def test_what_is_refused(self, run, tmp_path, monkeypatch, arguments, message):
        monkeypatch.chdir(tmp_path)
        code, _, err = run("view", *arguments)
        assert code == cli.INPUT_ERROR
        assert message in err

    def test_nothing_is_served_where_there_is_nothing(self, run, tmp_path):
        code, out, _ = run("view", tmp_path)
        assert code == 0
        assert "No runs lie in or below" in out


class TestServer:
    def test_the_list_and_the_files_of_a_run(self, ask):
        status, headers, body = ask()
        assert status == 200
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        links = re.findall(r'href="([^"]+)"', body.decode())
        names = ["report.html", "curves.png", "curves.svg", "scores.parquet", "table.csv"]
        assert links == [f"{ask.base}/{name}" for name in names]
        kinds = ["text/html; charset=utf-8", "image/png", "image/svg+xml", "application/vnd.apache.parquet"]
        for link, kind in zip(links, [*kinds, "text/csv; charset=utf-8"], strict=True):
            status, headers, body = ask(link)
            assert (status, headers["Content-Type"], int(headers["Content-Length"])) == (200, kind, len(body))
        assert ask(links[0])[2] == b"<p>the page</p>"

    def test_the_list_is_made_anew(self, ask, tmp_path):
        finished(tmp_path / "runs" / "two", study="complexity")
        assert b"complexity" in ask()[2]
        (tmp_path / "runs" / "one" / "run.json").unlink()
        assert b">one<" not in ask()[2]
        assert ask(f"{ask.base}/report.html")[0] == 404

    def test_names_and_verdicts_are_escaped(self, ask, tmp_path):
        finished(tmp_path / "runs" / HOSTILE, verdict=["</style><script>alert(2)</script>\u202e"])
        finished(tmp_path / "runs" / os.fsdecode(b"\xff\xfe"))
        status, headers, body = ask()
        text = body.decode()
        assert status == 200
        assert "<img" not in text
        assert "<script" not in text
        assert "\u202e" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text
        assert "script-src" not in headers["Content-Security-Policy"]

    @pytest.mark.parametrize("name", ["", "report.html", "curves.png", "curves.svg", "nothing.png"])
    def test_every_answer_keeps_browsers_in(self, ask, name):
        _, headers, _ = ask(f"{ask.base}/{name}" if name else "/")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert not name or "; sandbox" in policy  # a stranger's report or figure reads nothing beside it
        assert "allow-same-origin" not in policy
        assert ("script-src" in policy) == (name == "report.html")

    @pytest.mark.parametrize("path", ["/", "report.html", "nothing.png"])
    def test_head_has_no_body(self, ask, path):
        path = path if path == "/" else f"{ask.base}/{path}"
        (status, headers, body), whole = ask(path, "HEAD"), ask(path)
        assert (status, headers["Content-Length"], body) == (whole[0], str(len(whole[2])), b"")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
    def test_nothing_but_reading(self, ask, tmp_path, method):
        before = sorted(tmp_path.rglob("*"))
        for path in ("/", f"{ask.base}/report.html"):
            status, headers, _ = ask(path, method)
            assert (status, headers["Allow"]) == (405, "GET, HEAD")
        assert sorted(tmp_path.rglob("*")) == before

    def test_another_host_is_refused(self, ask):
        port = ask.port
        for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
            assert ask(host=[host])[0] == 200
        evil = [f"evil.example:{port}", "evil.example", "127.0.0.1", "localhost", f"127.0.0.1:{port + 1}", ""]
        evil += [f"127.0.0.1:{port}.evil.example", f"127.0.0.2:{port}", f"x@127.0.0.1:{port}"]
        for hosts in ([], *([name] for name in evil), [f"127.0.0.1:{port}", "evil.example"]):
            for path in ("/", f"{ask.base}/report.html"):
                status, _, body = ask(path, host=hosts)
                assert status == 403
                assert b"one" not in body

    def test_paths_that_lead_elsewhere(self, ask, tmp_path):
        (tmp_path / "secret.png").write_text("secret")
        (tmp_path / "runs" / "secret.png").write_text("secret")
        run = tmp_path / "runs" / "one"
        for name in ("notes.txt", "index.html", ".hidden.png", "PNG", "code.js", "heatmaps.zarr"):
            (run / name).write_text("secret")
        (run / "inner").mkdir()
        (run / "inner" / "deep.png").write_text("secret")
        (run / "folder.png").mkdir()
        os.mkfifo(run / "pipe.png")
        base = ask.base
        for path in (
            *(f"{base}/{up}secret.png" for up in ("../", "../../", "%2e%2e/", "%2e%2e%2f", "..%2f", "..\\", "..%5c")),
            *(f"{base}/{up}secret.png" for up in ("%252e%252e/", "....//", "..;/", "%c0%ae%c0%ae/", "./../", "//")),
            *(
                f"{base}/{name}"
                for name in ("", ".", "..", "%2e", "inner", "inner/", "inner/deep.png", "inner%2fdeep.png")
            ),
            *(f"{base}/{name}" for name in ("notes.txt", "index.html", ".hidden.png", "PNG", "code.js", "run.json")),
            *(
                f"{base}/{name}"
                for name in ("heatmaps.zarr", "folder.png", "pipe.png", "report.html/", "report.html%00.png")
            ),
            *(
                f"{base}/{name}"
                for name in ("report.HTML", "report.html?x", "curves.png#x", "%72eport.html", "nothing.png")
            ),
            *(
                base,
                f"{base[:-1]}/report.html",
                f"{base}0/report.html",
                f"{base.upper()}/report.html",
                "/runs",
                "/runs/",
            ),
            *("/secret.png", "/../secret.png", "/one/report.html", "/runs/one/report.html", f"{tmp_path}/secret.png"),
            *(f"file://{tmp_path}/secret.png", f"http://127.0.0.1:{ask.port}/", "*", "?", "/?"),
        ):
            status, _, body = ask(path)
            assert status == 404, path
            assert b"secret" not in body
            assert b"<" not in body  # no listing, and nothing of what was asked for

    def test_links_are_not_followed(self, ask, tmp_path):
        (tmp_path / "secret.png").write_text("secret")
        run = tmp_path / "runs" / "one"
        (run / "out.png").symlink_to(tmp_path / "secret.png")
        (run / "in.png").symlink_to(run / "curves.png")
        (run / "root.png").symlink_to("/etc/passwd")
        for name in ("out.png", "in.png", "root.png"):
            assert ask(f"{ask.base}/{name}")[0] == 404
            assert name.encode() not in ask()[2]

    def test_a_run_that_becomes_a_link_is_gone(self, ask, tmp_path):
        (tmp_path / "runs" / "one").rename(tmp_path / "moved")
        (tmp_path / "runs" / "one").symlink_to(tmp_path / "moved")
        assert ask(f"{ask.base}/report.html")[0] == 404

    @pytest.mark.parametrize(
        "request_line",
        [b"", b"GET", b"GET /", b"GET / HTTP/9.9", b"\xff\x00", b"GET /" + b"a" * 70_000, b"A: B\r\n" * 200],
        ids=["empty", "word", "old", "new", "bytes", "long", "headers"],
    )
    def test_what_is_no_request(self, ask, request_line, capfd):
        with socket.create_connection(ask.server.server_address[:2], timeout=10) as connection:
            connection.sendall(request_line + b"\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                assert b"/runs/" not in answer.read()
        assert ask()[0] == 200
        assert capfd.readouterr().err == ""

    def test_a_browser_that_goes_away_is_no_error(self, ask, tmp_path, capfd):
        (tmp_path / "runs" / "one" / "large.png").write_bytes(bytes(20_000_000))
        with socket.create_connection(ask.server.server_address[:2], timeout=10) as connection:
            connection.sendall(f"GET {ask.base}/large.png HTTP/1.0\r\nHost: localhost:{ask.port}\r\n\r\n".encode())
            connection.recv(10)
        assert ask()[0] == 200
        assert capfd.readouterr().err == ""

    def test_loopback_only(self, ask):
        assert ask.server.server_address[0] == serving.HOST == "127.0.0.1"
        with pytest.raises(OSError):  # noqa: PT011 - another address of this machine, where nobody listens
            socket.create_connection(("127.0.0.2", ask.port), timeout=1)

    def test_addresses_stay_the_same(self, ask, tmp_path):
        with served(tmp_path / "runs") as again:
            assert f"/runs/{next(iter(again._runs))}" == ask.base

    def test_a_port_that_is_taken(self, run, ask, tmp_path):
        code, _, err = run("view", tmp_path, "--port", ask.port)
        assert code == cli.INPUT_ERROR
        assert f"port {ask.port} cannot be had (Address already in use); choose another --port, or none" in err


def test_the_command_serves_until_ctrl_c(tmp_path):
    finished(tmp_path / "one")
    code = (
        "from heatproof import cli; import signal; signal.signal(signal.SIGINT, signal.default_int_handler); cli.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "view", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = next(line for line in process.stdout if "Ctrl-C ends it" in line)
            port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", line)[1])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
            connection.close()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
            assert (process.returncode, err) == (0, "")
        finally:
            process.kill()
