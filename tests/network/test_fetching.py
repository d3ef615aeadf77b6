"""Downloads from a server of the test's own: cut, resumed, changed, wrong, refused, not there."""

import hashlib
import http.server
import os
import re
import socket
import threading
import urllib.request

import pytest

from heatproof.errors import InputError
from heatproof.network import published
from heatproof.network.fetching import TRIES, _Redirects, cache_folder, fetch
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
        self.ranges, self.asked = [], []
        self.leads_to, self.length = "", None
        self.url = f"http://127.0.0.1:{self.server_port}/folder/net.caffemodel?raw=true"

    def handle_error(self, request, address):
        pass


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        server.asked.append(dict(self.headers))
        if server.leads_to and not self.path.startswith("/end"):
            self.send_response(302)
            self.send_header("Location", server.leads_to)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
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
        if server.length != "":
            self.send_header("Content-Length", server.length or str(len(server.content) - start))
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
    with pytest.raises(InputError, match=r"closed the connection \(the connection broke\); 50,000 bytes are kept"):
        fetch(File(server.url), tmp_path)
    assert left(tmp_path) == ["net.caffemodel.part", "net.caffemodel.part.tag"]
    server.ranges.clear()
    assert fetch(File(server.url), tmp_path).path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=50000-"]


def test_another_version_of_the_file_begins_anew(server, tmp_path):
    """Half of the old one and half of the new one would be neither."""
    server.cut, server.cuts = 10_000, TRIES
    with pytest.raises(InputError, match="closed the connection"):
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
    with pytest.raises(InputError, match="cannot be reached, or closed the connection"):
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
    with pytest.raises(
        InputError, match=rf"http://127\.0\.0\.1:\d+/.* cannot be downloaded: the server answers {status} \w+"
    ):
        fetch(File(server.url), tmp_path)
    assert left(tmp_path) == []


ODD_TAGS = [
    '"' + "x" * 100_000 + '"', '"a\tb"', '"a b"', '"\xe9"', '"a\r\n b"', 'W/"weak"', '"', '""', "no quotes",
]  # fmt: skip


@pytest.mark.parametrize("tag", ODD_TAGS)
def test_versions_that_cannot_be_sent_back_are_none(tag, server, tmp_path):
    server.tag, server.cut, server.cuts = tag, 300_000, 1
    if len(tag) > 65_000:  # a header that Python does not read
        with pytest.raises(InputError, match="cannot be reached, or closed the connection"):
            fetch(File(server.url), tmp_path)
        return
    assert fetch(File(server.url), tmp_path).path.read_bytes() == CONTENT
    assert server.ranges == [None, None]


@pytest.mark.parametrize("stored", [b"\xff\xfe", b'"a"\r\nEvil: yes', b"x" * 10**6, b""])
def test_a_stored_version_is_not_trusted_either(stored, server, tmp_path):
    (tmp_path / "net.caffemodel.part").write_bytes(CONTENT[:1000])
    (tmp_path / "net.caffemodel.part.tag").write_bytes(stored)
    assert fetch(File(server.url), tmp_path).path.read_bytes() == CONTENT
    assert "Evil" not in server.asked[0]


@pytest.mark.parametrize("length", [None, "", "9" * 18, "9" * 5000, "-1", "many"])
def test_what_is_too_large_is_refused_and_leaves_nothing(length, server, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "LARGEST", 2000)
    server.length = length
    with pytest.raises(InputError, match="the server sends more than 2,000 bytes"):
        fetch(File(server.url), tmp_path)
    assert left(tmp_path) == []


def test_texts_have_a_smaller_limit():
    assert File("https://x.org/a.prototxt").largest < File("https://x.org/a.caffemodel").largest


def test_an_answer_without_content_is_no_file(server, tmp_path):
    server.content = b""
    with pytest.raises(InputError, match="closed the connection"):
        fetch(File(server.url), tmp_path)


@pytest.mark.parametrize("status", [201, 203, 204])
def test_other_answers_are_no_file(status, server, tmp_path, monkeypatch):
    monkeypatch.setattr(Answers, "do_GET", lambda self: (self.send_response(status), self.end_headers()))
    with pytest.raises(InputError, match=f"the server answers {status}"):
        fetch(File(server.url), tmp_path)


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:{port}/end",
        "http://127.0.0.1:1/end",
        "http://user@127.0.0.1:{port}/end",
        "ftp://127.0.0.1/end",
    ],
)
def test_other_servers_are_followed_to_over_https_only(address, server, tmp_path):
    server.leads_to = address.format(port=server.server_port)
    with pytest.raises(InputError, match=r"leads to .*, which is not followed: expected https, or the same server"):
        fetch(File(server.url), tmp_path)
    assert left(tmp_path) == []


@pytest.mark.parametrize("address", ["file:///etc/passwd", "data:,x", "/again", "http://[", "https:///x", "\x7f", "//"])
def test_addresses_that_lead_nowhere(address, server, tmp_path):
    server.leads_to = address
    with pytest.raises(InputError, match=r"cannot be downloaded|cannot be reached|not followed"):
        fetch(File(server.url), tmp_path)
    assert left(tmp_path) == []


def test_the_same_server_may_lead_on(server, tmp_path):
    server.leads_to = "/end/of/it"
    assert fetch(File(server.url), tmp_path).path.read_bytes() == CONTENT


def test_https_is_followed_from_anywhere_and_never_left():
    follow = _Redirects().redirect_request
    start = urllib.request.Request("https://github.com/a")
    assert follow(start, None, 302, "Found", {}, "https://objects.example.org/b").full_url.startswith("https://objects")
    for address in ("http://github.com/a", "http://objects.example.org/b", "ftp://github.com/a"):
        with pytest.raises(InputError, match="is not followed"):
            follow(start, None, 302, "Found", {}, address)


@pytest.mark.parametrize("name", ["net.caffemodel", "net.caffemodel.part", "net.caffemodel.part.tag"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling link"])
def test_what_is_no_file_is_in_the_way(name, kind, server, tmp_path):
    path = tmp_path / name
    {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "dangling link": lambda: path.symlink_to("nowhere")}[kind]()
    with pytest.raises(InputError, match=re.escape(f"{str(path)!r} is in the way: expected a file")):
        fetch(File(server.url), tmp_path)
    assert not (tmp_path / "nowhere").exists()


def test_a_part_is_never_written_through_a_link(server, tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "net.caffemodel.part").symlink_to("precious")
    with pytest.raises(InputError, match="is in the way"):
        fetch(File(server.url), tmp_path)
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_link_to_a_file_is_a_file(server, tmp_path):
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    (tmp_path / "net.caffemodel").symlink_to("elsewhere")
    assert fetch(File(server.url, f"sha1:{SHA1}"), tmp_path).verified


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_folder_that_is_a_file(folder, server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder to download to"):
        fetch(File(server.url), tmp_path / folder)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "nowhere.invalid"])
def test_no_network_is_told_with_what_to_do(host, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://{host.format(port=taken.getsockname()[1])}/net.caffemodel"
        with pytest.raises(
            InputError,
            match=r"cannot be reached, or closed the connection \(.+\); you can also download http.* and put it at .*",
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
