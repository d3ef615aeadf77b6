"""``heatproof view``."""

import errno
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.opening import Open, open_in_browser
from heatproof.cli.output import output, tell
from heatproof.cli.printing import print_table, say, warn
from heatproof.errors import InputError

if TYPE_CHECKING:
    from heatproof.cli.serving import RunServer
    from heatproof.report import Table
    from heatproof.runs.below import Found


@app.command("view")
def view_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where runs lie, in it or below.")] = Path(),
    *,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Show them in a browser of this machine, or only list them.")
    ] = True,
    port: Annotated[
        int, typer.Option(help="On 127.0.0.1. Default: any that is free.", min=0, max=65535, show_default=False)
    ] = 0,
    opened: Open = False,
) -> None:
    """Which runs lie below a folder, and what did they find? Lists them, and shows them until Ctrl-C.

    Only reads. No other machine sees it.

    [bold]heatproof view[/bold]

    [bold]heatproof view runs/ --open[/bold]

    [bold]heatproof view runs/ --no-serve[/bold]
    """
    from heatproof.runs.below import runs_below

    serving = serve and not output.as_json
    if opened and not serving:
        raise InputError("--open needs the pages served; leave out --no-serve and --json")
    found = runs_below(folder)
    tell(folder=folder, runs=[run.describe() for run in found.runs])
    warn(found.notes)
    if not found.runs:
        say(f"No runs lie in or below {folder}; 'heatproof compare photos/ --out RUN' makes one")
        return
    print_table(table_of(found))
    if serving:
        show(folder, port, opened=opened)


def table_of(found: "Found") -> "Table":
    """The runs, the newest first."""
    from heatproof.report import Table

    rows = tuple(
        (run.study, run.state, run.count, run.verdict, f"{run.date:%Y-%m-%d %H:%M}", run.name) for run in found.runs
    )
    return Table(("study", "state", "images", "verdict", "date (UTC)", "path"), rows)


def show(folder: Path, port: int, *, opened: bool) -> None:
    """Serves until Ctrl-C."""
    with _server(folder, port) as server:
        say(f"\nOpen {server.address} on this machine; Ctrl-C ends it.")
        if opened:  # some browsers are the terminal's, and come back when they are closed
            Thread(target=open_in_browser, args=(server.address,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say()


def _server(folder: Path, port: int) -> "RunServer":
    from heatproof.cli.serving import RunServer

    try:
        return RunServer(folder, port)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise InputError(f"port {port} cannot be had ({error.strerror}); choose another --port, or none") from error
