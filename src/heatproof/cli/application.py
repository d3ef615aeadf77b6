"""What all commands hang on.

Exit codes: 0 done; 2 something given cannot be used; 3 done, but pictures had to be left out; 4 a check failed
(``heatproof check``); 74 the disk failed, or the service at a URL;
130 stopped by Ctrl-C. Any other failure is a bug and shows its traceback.
"""

import errno
import sys
from typing import Annotated

import typer

import heatproof
from heatproof.cli.printing import console, screen, visible
from heatproof.errors import InputError
from heatproof.runs.store import StoreError

INPUT_ERROR, PARTIAL, CHECK_FAILED, DISK_ERROR, INTERRUPTED = 2, 3, 4, 74, 130

KEPT = "nothing half-written is left, and a run goes on with the same command"

app = typer.Typer(
    name="heatproof",
    help="Put heatmaps to the proof: which explanation method can I trust, for my network, on my images?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and stop.")] = False) -> None:
    """Put heatmaps to the proof: which explanation method can I trust, for my network, on my images?"""
    if version:
        screen.print(f"heatproof {heatproof.__version__}", highlight=False)
        raise typer.Exit


def main() -> None:
    """Runs the command; what a user can mend becomes one message and an exit code."""
    try:
        app()
    except InputError as error:
        _fail(str(error), INPUT_ERROR)
    except SystemExit as stopped:
        if stopped.code == INTERRUPTED:  # Typer's answer to Ctrl-C
            _fail(f"stopped; {KEPT}", INTERRUPTED)
        raise
    except StoreError as error:
        _fail(str(error), DISK_ERROR)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO):
            raise
        where = f": {error.filename}" if error.filename else ""
        _fail(f"{error.strerror}{where}; {KEPT}", DISK_ERROR)


def _fail(message: str, code: int) -> None:
    console.print(f"heatproof: {visible(message)}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)
