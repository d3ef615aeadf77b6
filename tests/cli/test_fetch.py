"""``heatproof fetch``: what there is, what came, and how it is used."""

import functools
import http.server
import threading
from hashlib import sha256

import pytest
from typer.testing import CliRunner

from heatproof.cli import main  # noqa: F401 - registers the commands
from heatproof.cli.application import app
from heatproof.errors import InputError
from heatproof.network import published
from heatproof.network.published import File, Published

run = CliRunner()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """A published network of two files, served from a folder."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "deploy.prototxt").write_text("name: 'net'")
    (tmp_path / "served" / "net.caffemodel").write_bytes(b"weights")
    handler = functools.partial(Quiet, directory=str(tmp_path / "served"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    sha1 = "sha1:41c7a40ed85dd8b37a0a8d1d9cd87dc7abf8cdbc"
    files = (File(f"{base}/deploy.prototxt", name="own.prototxt"), File(f"{base}/net.caffemodel"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setitem(published.PUBLISHED, "own", Published("a net", files, "--network caffe:{0} --weights {1}"))
    monkeypatch.setitem(published.PUBLISHED, "wrong", Published("a net", (File(files[1].url, sha1),), "{0}"))
    yield
    server.shutdown()
    server.server_close()
    thread.join()


def test_names_are_listed():
    result = run.invoke(app, ["fetch"])
    assert result.exit_code == 0
    assert "caffenet\n    CaffeNet, the Caffe reference network" in result.stdout
    assert "places365-densenet161" in result.stdout


def test_all_files_come_and_their_use_is_said(entry, tmp_path):
    result = run.invoke(app, ["fetch", "own", "--to", str(tmp_path / "to")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "to" / "own.prototxt").read_text() == "name: 'net'"
    assert (tmp_path / "to" / "net.caffemodel").read_bytes() == b"weights"
    text = result.stdout.replace("\n", "")
    assert f"SHA-256 {sha256(b'weights').hexdigest()} (its publisher prints no checksum)" in text
    assert f"own: --network caffe:{tmp_path}/to/own.prototxt" in text


def test_wrong_files_are_refused(entry, tmp_path):
    result = run.invoke(app, ["fetch", "wrong", "--to", str(tmp_path)])
    assert isinstance(result.exception, InputError)
    assert "net.caffemodel is not the published file" in str(result.exception)


def test_unknown_names_are_told_before_anything_is_downloaded(entry, tmp_path):
    result = run.invoke(app, ["fetch", "own", "caffenett", "--to", str(tmp_path / "to")])
    assert "unknown published network 'caffenett'; did you mean 'caffenet'?" in str(result.exception)
    assert not (tmp_path / "to").exists()
