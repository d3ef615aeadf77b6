"""Downloads from a server of the test's own: cut, resumed, changed, wrong, refused, not there."""

import hashlib
import http.server
import re
import socket
import threading

import pytest

from heatproof.errors import InputError
from heatproof.network.fetching import TRIES, cache_folder, fetch
from heatproof.network.published import PUBLISHED, File

CONTENT = bytes(range(256)) * 4000  # about 1 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SHA1 = hashlib.sha1(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Answers with ``content``; breaks off after ``cut`` bytes as often as told; ``ranges`` it was asked for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.content, self.tag = CONTENT, '"first"'
        self.cut, self.cuts = len(CONTENT), 0
        self.knows_ranges, self.status = True, 200
        self.ranges = []
        self.url = f"http://127.0.0.1:{self.server_port}/folder/net.caffemodel?raw=true"

    def handle_error(self, request, address):
        pass


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(re.match(r"bytes=(\d+)-", wanted).group(1)) if wanted and server.knows_ranges else 0
        if start and self.headers.get("If-Range", server.tag) != server.tag:
            start = 0
        if start >= len(server.content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if server.tag:
            self.send_header("ETag", server.tag)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        whole = server.content[start:]
        if server.cuts > 0:
            server.cuts -= 1
            whole = whole[: server.cut]
        self.wfile.write(whole)
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    found = Server()
    thread = threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


def left(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("checksum", [None, f"sha1:{SHA1}", f"sha256:{SHA256}", f"sha256:{SHA256[:8]}"])
def test_a_file_is_downloaded_and_checked(checksum, server, tmp_path):
    seen = []
    found = fetch(File(server.url, checksum), tmp_path / "new", on_progress=lambda *done: seen.append(done))
    assert found.path == tmp_path / "new" / "net.caffemodel"
    assert found.path.read_bytes() == CONTENT
    assert (found.sha256, found.verified) == (SHA256, checksum is not None)
    assert left(tmp_path / "new") == ["net.caffemodel"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_file_that_is_there_is_not_downloaded_again(server, tmp_path):
    file = File(server.url, f"sha1:{SHA1}", name="other.bin")
    fetch(file, tmp_path)
    assert fetch(file, tmp_path).path == tmp_path / "other.bin"
    assert server.ranges == [None]


def test_a_broken_connection_goes_on_where_it_stopped(server, tmp_path):
    server.cut, server.cuts = 300_000, 2
    assert fetch(File(server.url), tmp_path).path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=600000-"]
    assert left(tmp_path) == ["net.caffemodel"]


def test_the_next_call_goes_on_where_the_last_one_stopped(server, tmp_path):
    server.cut, server.cuts = 10_000, TRIES
    with pytest.raises(
        InputError, match=r"breaks off \(the connection broke\); 50,000 bytes are kept, and fetching again"
    ):
        fetch(File(server.url), tmp_path)
    assert left(tmp_path) == ["net.caffemodel.part", "net.caffemodel.part.tag"]
    server.ranges.clear()
    assert fetch(File(server.url), tmp_path).path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=50000-"]


def test_another_version_of_the_file_begins_anew(server, tmp_path):
    """Half of the old one and half of the new one would be neither."""
    server.cut, server.cuts = 10_000, TRIES
    with pytest.raises(InputError, match="breaks off"):
        fetch(File(server.url), tmp_path)
    server.content, server.tag = CONTENT[::-1], '"second"'
    assert fetch(File(server.url), tmp_path).path.read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(("checksum", "asked"), [(None, None), (f"sha1:{SHA1}", "bytes=300000-")])
def test_without_a_version_only_a_checksum_allows_to_go_on(checksum, asked, server, tmp_path):
    server.tag, server.cut, server.cuts = "", 300_000, 1
    assert fetch(File(server.url, checksum), tmp_path).path.read_bytes() == CONTENT
    assert server.ranges == [None, asked]


def test_a_server_without_ranges_begins_anew(server, tmp_path):
    server.knows_ranges = False
    server.cut, server.cuts = 300_000, 1
    assert fetch(File(server.url), tmp_path).path.read_bytes() == CONTENT


@pytest.mark.parametrize("spare", [b"", b"and more"])
def test_a_part_that_is_whole_already_or_too_long(spare, server, tmp_path):
    (tmp_path / "net.caffemodel.part").write_bytes(CONTENT + spare)
    (tmp_path / "net.caffemodel.part.tag").write_text('"first"')
    assert fetch(File(server.url), tmp_path).path.read_bytes() == CONTENT


def test_a_server_that_always_refuses_the_range_is_told(server, tmp_path):
    server.content, server.status = b"", 416
    (tmp_path / "net.caffemodel.part").write_bytes(b"some")
    with pytest.raises(InputError, match="cannot be reached, or breaks off"):
        fetch(File(server.url, f"sha1:{SHA1}"), tmp_path)


@pytest.mark.parametrize("already_there", [False, True])
def test_a_file_with_another_checksum_is_refused_and_kept_aside(already_there, server, tmp_path):
    if already_there:
        (tmp_path / "net.caffemodel").write_bytes(CONTENT)
    expected = "0" * 40
    message = (
        rf"net\.caffemodel is not the published file: its SHA1 is {SHA1}, and {expected} is published; it is kept as"
    )
    with pytest.raises(InputError, match=message):
        fetch(File(server.url, f"sha1:{expected}"), tmp_path)
    assert (tmp_path / "net.caffemodel.wrong").read_bytes() == CONTENT
    assert not (tmp_path / "net.caffemodel").exists()


@pytest.mark.parametrize("status", [404, 403, 500])
def test_what_a_server_answers_is_told(status, server, tmp_path):
    server.status = status
    with pytest.raises(InputError, match=rf"http://127\.0\.0\.1:\d+/.* cannot be had: the server answers {status} \w+"):
        fetch(File(server.url), tmp_path)
    assert left(tmp_path) == []


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "nowhere.invalid"])
def test_no_network_is_told_with_what_to_do(host, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://{host.format(port=taken.getsockname()[1])}/net.caffemodel"
        with pytest.raises(
            InputError, match=r"cannot be reached, or breaks off \(.+\); you can also download http.* and put it at .*"
        ) as caught:
            fetch(File(url), tmp_path)
    assert str(caught.value).endswith("net.caffemodel")


def test_cache_folder_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "heatproof"


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_have_names_addresses_and_checksums_of_a_known_form(name):
    entry = PUBLISHED[name]
    assert entry.about
    assert entry.files
    assert len({file.filename for file in entry.files}) == len(entry.files)
    for file in entry.files:
        assert re.fullmatch(r"https?://[\w./~-]+", file.url)
        assert re.fullmatch(r"[\w.-]+\.\w+", file.filename)
        assert file.checksum is None or re.fullmatch(r"sha1:[0-9a-f]{40}|sha256:[0-9a-f]{8,64}", file.checksum)
        assert str(file.filename) in entry.options(cache_folder())
