"""Runs shown in a browser of this machine: a list of them, their pages and figures. Only reads.

What an address may name is known before anything is asked: ``/``, and ``/runs/NUMBER/NAME``, where the number stands
for a run that was found, and the name for a file of a known kind in its folder. No path comes from outside.
"""

import os
import re
import shutil
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from socketserver import TCPServer
from typing import Any, BinaryIO

from heatproof.report.index import Entry, render_index
from heatproof.runs.below import Found, Run, runs_below

HOST = "127.0.0.1"
PAGE = "report.html"
ADDRESS = re.compile(r"/runs/([0-9a-f]{16})/([A-Za-z0-9_][A-Za-z0-9_.-]{0,199})", re.ASCII)
MOST_FILES = 100  # of a run, in the list
PATIENCE = 20.0  # seconds

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
LIST = f"{NOTHING}; style-src 'unsafe-inline'"
FILE = f"{LIST}; sandbox"
# A stranger's report has an origin of its own, from which it sees neither the list nor other runs.
REPORT = f"{LIST}; script-src 'unsafe-inline'; img-src data:; sandbox allow-scripts"
KINDS = {
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".csv": "text/csv; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
}
HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
REFUSED = {
    HTTPStatus.NOT_FOUND: "There is no such page.",
    HTTPStatus.FORBIDDEN: "Use the address that heatproof view printed.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Only reading is possible here.",
}


@dataclass(frozen=True)
class Answer:
    """What is sent: bytes, how many, of which kind, and what a browser may do with them."""

    content: BinaryIO
    size: int
    kind: str
    policy: str


class RunServer(ThreadingHTTPServer):
    """Shows the runs below a folder, on loopback.

    Args:
        folder: that is searched, again for each view of the list.
        port: to listen on; 0 for any that is free.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._folder = folder
        self._root = Path(os.path.realpath(folder))
        self._runs: Mapping[str, Path] = {}
        self.look()
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Binds, without asking the resolver for this machine's name as HTTPServer does."""
        TCPServer.server_bind(self)

    @property
    def address(self) -> str:
        """Where the list is."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def is_host(self, name: str) -> bool:
        """Whether a browser that was given our address would say so; another site's name could be made to lead here."""
        port = self.server_address[1]
        return name in {f"{HOST}:{port}", f"localhost:{port}"} or (port == 80 and name in (HOST, "localhost"))

    def look(self) -> Found:
        """Searches the folder."""
        found = runs_below(self._folder)
        self._runs = {number_of(run): run.path for run in found.runs}
        return found

    def listing(self) -> Answer:
        """The list of runs, as they are now."""
        found = self.look()
        html = render_index(str(self._folder), [entry_of(run) for run in found.runs], found.notes)
        content = html.encode("utf-8", errors="replace")
        return Answer(BytesIO(content), len(content), HTML, LIST)

    def file(self, number: str, name: str) -> Answer | None:
        """A file of a run; None if there is none that may be shown."""
        run = self._runs.get(number)
        kind = HTML if name == PAGE else KINDS.get(Path(name).suffix)
        if run is None or kind is None or not run.is_relative_to(self._root):
            return None
        path = run / name
        if os.path.realpath(path) != str(path):  # a link, or a part of it has become one since the search
            return None
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            content = os.fdopen(descriptor, "rb")
            about = os.fstat(descriptor)
            if stat.S_ISREG(about.st_mode):
                return Answer(content, about.st_size, kind, REPORT if kind == HTML else FILE)
            content.close()
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the standard library's
        """A browser that went away is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: RunServer
    timeout = PATIENCE

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not self.server.is_host(hosts[0]):
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        asked = ADDRESS.fullmatch(self.path)
        answer = self.server.listing() if self.path == "/" else self.server.file(*asked.groups()) if asked else None
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with answer.content:
            self._begin(HTTPStatus.OK, answer.kind, answer.policy, answer.size)
            if self.command != "HEAD":
                shutil.copyfileobj(answer.content, self.wfile)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Says it as plain text, without repeating what was asked for."""
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        text = f"{REFUSED.get(status, status.phrase)}\n".encode()
        self._begin(status, TEXT, FILE, len(text))
        if self.command != "HEAD":
            self.wfile.write(text)

    def _begin(self, status: HTTPStatus, kind: str, policy: str, size: int) -> None:
        self.send_response(status)
        allow = {"Allow": "GET, HEAD"} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
        about = {
            "Content-Type": kind,
            "Content-Length": str(size),
            "Content-Security-Policy": policy,
            "Connection": "close",
        }
        for name, value in (about | HEADERS | allow).items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True

    def version_string(self) -> str:
        return "heatproof"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what is asked for is nobody's business."""


def number_of(run: Run) -> str:
    """Sixteen hexadecimal digits that stand for a run in addresses, the same in every session."""
    return blake2b(os.fsencode(run.path), digest_size=8).hexdigest()


def entry_of(run: Run) -> Entry:
    """A run as the list shows it."""
    base = f"/runs/{number_of(run)}"
    files = _files(run.path)
    return Entry(
        name=run.path.name if run.name == "." else run.name,
        study=run.study,
        state=run.state,
        images=run.count,
        date=f"{run.date:%Y-%m-%d %H:%M} UTC",
        verdict=run.verdict,
        page=f"{base}/{PAGE}" if PAGE in files else "",
        files=[(name, f"{base}/{name}") for name in files if name != PAGE][:MOST_FILES],
    )


def _files(run: Path) -> list[str]:
    """Names of a run's files that are shown."""
    with suppress(OSError), os.scandir(run) as entries:
        names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        return sorted(
            n for n in names if ADDRESS.fullmatch(f"/runs/{'0' * 16}/{n}") and (n == PAGE or Path(n).suffix in KINDS)
        )
    return []
