"""Where a command writes, and what it reads, as far as that lies in files."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.keys import InFile, keys_of
from heatproof.cli.shell import shell_line

if TYPE_CHECKING:
    from heatproof.runs.objects import Store

Out = Annotated[
    str,
    typer.Option("--out", "-o", metavar="FOLDER|URL", help="For the results; a folder appears complete or not at all."),
    InFile(path="(.+)"),
]
RunPlace = Annotated[
    str,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER|URL",
        help="For the run; with the same configuration it is resumed.",
    ),
    InFile(path="(.+)"),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace an earlier result in --out once the new one is complete."),
    InFile(absent=True),  # no file may ask for that
]


def written_to(
    context: typer.Context, out: str, *, overwrite: bool = False, resumes: bool = False
) -> "AbstractContextManager[Store]":
    """Holds the place that a command writes to, apart from everything that it reads."""
    from heatproof.runs.destination import destination

    return destination(out, overwrite=overwrite, inputs=inputs_of(context), resumes=resumes)


def inputs_of(context: typer.Context) -> list[Path]:
    """Files and folders that a command was told to read."""
    assert context.command.callback is not None, "a command does something"
    keys = keys_of(context.command.callback).values()
    return [path for key in keys if key.name != "out" for path in key.paths(context.params.get(key.parameter))]


def command_line() -> str:
    """The command that runs, to be given again."""
    return shell_line(["heatproof", *sys.argv[1:]])
