"""Where a command writes, and what it reads, as far as that lies in files."""

import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.cli.keys import keys_of
from heatproof.cli.opening import Open
from heatproof.cli.shell import shell_line
from heatproof.options.option import Option

if TYPE_CHECKING:
    from heatproof.runs.objects import Store

ANY_PATH = "(.+)"
Out = Annotated[
    str,
    Option(
        "Folder or URL for the results; a folder appears complete or not at all.",
        short="-o",
        metavar="FOLDER|URL",
        path=ANY_PATH,
    ),
]
Overwrite = Annotated[bool, Option("Replace an earlier result in --out once the new one is complete.", in_files=False)]


@dataclass(frozen=True)
class RunPlace:
    """Options that say where the run of a study is stored."""

    out: Annotated[
        str,
        Option(
            "Folder or URL of the run; with the same configuration it is resumed.",
            short="-o",
            metavar="FOLDER|URL",
            path=ANY_PATH,
        ),
    ]
    overwrite: Overwrite = False
    opened: Open = False

    def held(self, context: typer.Context) -> "AbstractContextManager[Store]":
        """Holds the place, apart from everything that the command reads."""
        return written_to(context, self.out, overwrite=self.overwrite, resumes=True)


def written_to(
    context: typer.Context, out: str, *, overwrite: bool = False, resumes: bool = False
) -> "AbstractContextManager[Store]":
    """Holds the place that a command writes to, apart from everything that it reads."""
    from heatproof.runs.destination import destination

    return destination(out, overwrite=overwrite, inputs=inputs_of(context), resumes=resumes)


def inputs_of(context: typer.Context) -> list[Path]:
    """Files and folders that a command was told to read."""
    keys = keys_of(context.command.callback).values()
    return [path for key in keys if key.name != "out" for path in key.paths(context.params.get(key.declared.field))]


def command_line() -> str:
    """The command that runs, to be given again."""
    return shell_line(["heatproof", *sys.argv[1:]])
