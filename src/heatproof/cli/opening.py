"""``--open``: what a command wrote is shown in the browser."""

import webbrowser
from pathlib import Path
from typing import Annotated

from heatproof.cli.output import output
from heatproof.cli.printing import message
from heatproof.options.option import Option
from heatproof.runs.store import open_store

Open = Annotated[bool, Option("Open the result in the browser.", name="open", panel="Output", in_files=False)]


def open_page(run: str | Path, page: str = "report.html") -> None:
    """Opens a page of a run, if it lies on this machine; says why not, unless little is to be said."""
    path = open_store(run).local_path(page)
    if path is None:
        _say(f"{run} is no folder of this machine: there is nothing to open")
    else:
        open_in_browser(path.as_uri())


def open_in_browser(address: str) -> None:
    """Opens an address, or says that no browser was found."""
    try:
        opened = webbrowser.open(address)
    except webbrowser.Error:
        opened = False
    if not opened:
        _say(f"no browser was found; open {address}")


def _say(text: str) -> None:
    if not (output.as_json or output.quiet):
        message(text)
