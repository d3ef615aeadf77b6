"""``heatproof init``."""

from pathlib import Path
from typing import Annotated

import typer

from heatproof.cli.application import app
from heatproof.cli.output import tell
from heatproof.cli.printing import say
from heatproof.cli.study_file import ENDING, command_of, commented, studies
from heatproof.errors import InputError
from heatproof.options.option import Option
from heatproof.runs.output_paths import write_file


def _some_studies(incomplete: str) -> list[str]:
    return [name for name in studies() if name.startswith(incomplete)]


@app.command("init")
def init_command(
    context: typer.Context,
    file: Annotated[Path, Option("Study file to write; it must not exist.", positional=True)] = Path("study.toml"),
    *,
    study: Annotated[str, Option("Command that the study file is for.", complete=_some_studies)] = "compare",
) -> None:
    """Writes a study file with every key, its default and what it means, to be edited and run.

    [bold]heatproof init study.toml[/bold]

    [bold]heatproof compare study.toml --out RUN[/bold]
    """
    assert context.parent is not None, "a command of the application"
    text = commented(study, command_of(study, getattr(context.parent.command, "commands", {})))
    if file.suffix != ENDING:
        raise InputError(f"expected a file that ends in {ENDING}, got {str(file)!r}")
    write_file(file, text.encode())
    tell(file=file)
    say(f"{file}: every key of 'heatproof {study}'; edit it, then: heatproof {study} {file}")
