"""The application: the two options of every command, how commands end, and what exit codes mean.

Modules of this room import the others inside their functions, so that help, versions and wrong words need no torch.
"""

import errno
import inspect
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

import heatproof
from heatproof.cli.keys import spread
from heatproof.cli.output import output, tell
from heatproof.cli.printing import answer, say
from heatproof.cli.printing import message as say_beside
from heatproof.cli.streams import Outlet, UndeliveredError, outlets
from heatproof.errors import InputError
from heatproof.options.option import Option

INPUT_ERROR, PARTIAL, CHECK_FAILED, OUT_OF_MEMORY, DISK_ERROR, INTERRUPTED, UNREAD = 2, 3, 4, 71, 74, 130, 141

EXIT_CODES = {
    0: "done",
    INPUT_ERROR: "an input cannot be used",
    PARTIAL: "done, but pictures had to be left out",
    CHECK_FAILED: "a check failed",
    OUT_OF_MEMORY: "memory ran out",
    DISK_ERROR: "the disk failed, or the service at a URL",
    INTERRUPTED: "stopped by Ctrl-C",
    UNREAD: "the output was closed by its reader",
}
BROKEN = 1  # any other failure is a bug, and shows its traceback

KEPT = "no partial file is left, and the same command resumes a run"

NEXT = """\
heatproof compare photos/ --out RUN   which heatmap method explains best?
heatproof init study.toml             every option of that, explained in a file
heatproof --help                      all commands"""


@dataclass(frozen=True)
class Answering:
    """Options that say how a command prints its result."""

    as_json: Annotated[
        bool, Option("Print one JSON object on stdout, errors included.", name="json", panel="Output", in_files=False)
    ] = False
    quiet: Annotated[
        bool,
        Option("Hide progress: print results, warnings and errors only.", short="-q", panel="Output", in_files=False),
    ] = False


class Command(TyperCommand):
    """A command that takes no empty text for a name or a path: Python's ``Path("")`` is the folder it runs in."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's class is private
        """Parses the arguments, as Typer does; refuses empty texts."""
        may_be_empty = {name for option in self.params if option.default == "" for name in option.opts}
        for before, argument in zip(("", *args), args, strict=False):
            option, equals, value = argument.partition("=") if argument.startswith("--") else (before, "=", argument)
            if equals and not value.strip() and option not in may_be_empty:
                where = f" for {option}" if option.startswith("-") else ""
                raise InputError(f"expected a name, a path or a number{where}, got an empty text")
        return super().parse_args(ctx, args)


class Application(typer.Typer):
    """Commands that all have ``--json`` and ``--quiet``."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - Typer's
        """Registers a command, as Typer does, with ``--json`` and ``--quiet``."""
        add = super().command(name, **({"cls": Command} | options))
        return lambda function: add(answering(function))


def answering(function: Callable[..., Any]) -> Callable[..., None]:
    """The command with all its options, those that say how it answers last."""

    @wraps(function)
    def answered(*, answer: Answering, **given: Any) -> None:  # noqa: ANN401 - whatever the options hold
        output.quiet = answer.quiet
        function(**given)

    own = inspect.signature(function)
    last = inspect.Parameter("answer", inspect.Parameter.KEYWORD_ONLY, annotation=Answering)
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own.parameters.values()]
    answered.__signature__ = own.replace(parameters=[*parameters, last])  # type: ignore[attr-defined]
    return spread(answered)


app = Application(
    name="heatproof",
    epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and stop.")] = False,
) -> None:
    """Put heatmaps to the proof: which explanation method can I trust, for my network, on my images?"""
    if version:
        tell(version=heatproof.__version__)
        say(f"heatproof {heatproof.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(NEXT)


def main() -> None:
    """Runs the command; what a user can mend becomes one message and an exit code."""
    with outlets() as streams:
        try:
            code = _ran()
            for stream in streams:
                stream.flush()
        except UndeliveredError as lost:
            code = _undelivered(lost, *streams)
    sys.exit(code)


def _ran() -> int:
    """The exit code of the command, whose answer has been printed."""
    output.begin(as_json="--json" in sys.argv)  # known before anything is read, so that wrong options are told so too
    try:
        with redirect_stdout(sys.stderr) if output.as_json else nullcontext():  # what else prints, such as own networks
            code = app(prog_name="heatproof", standalone_mode=False)
    except Exception as error:
        failure = mendable(error)
        if failure is None:
            raise
        code = _told(*failure)
    if code == INTERRUPTED:  # Typer's answer to Ctrl-C
        _told(f"stopped; {KEPT}", INTERRUPTED)
    code = code if isinstance(code, int) else 0
    answer(code)
    return code


def _undelivered(lost: UndeliveredError, out: Outlet, err: Outlet) -> int:
    """The exit code where a stream could not be written; the other stream says why, if it is open."""
    code = UNREAD if lost.reason is None else DISK_ERROR
    with suppress(UndeliveredError):
        if lost.stream == out.name and lost.reason:
            _told(f"{lost.stream} cannot be written: {lost.reason}; {KEPT}", code)
        if lost.stream == err.name and output.as_json:
            said = output.found.get("error")  # of the command, which nobody has read
            tell(error=said or f"{lost.stream} cannot be written: {lost.reason or 'it was closed'}; {KEPT}")
            answer(code, out)
    for stream in (out, err):
        try:
            stream.flush()
        except UndeliveredError:
            stream.abandon()
    return code


def mendable(error: Exception) -> tuple[str, int] | None:
    """The message and the exit code of what is no bug: a user, a disk or a machine can mend it."""
    from heatproof.runs.objects import StoreError
    from heatproof.runs.workers import REMEDY, ran_out

    if isinstance(error, InputError):
        return str(error), INPUT_ERROR
    if isinstance(error, typer.TyperException):  # options that do not exist, values that are none
        if not error.format_message():
            return "expected a command", INPUT_ERROR  # its help has just been printed
        context = getattr(error, "ctx", None)
        hint = f"; see '{context.command_path} --help'" if context else ""
        return error.format_message().rstrip(".") + hint, INPUT_ERROR
    if isinstance(error, StoreError):
        return str(error), DISK_ERROR
    if ran_out(error):
        return f"{REMEDY}; {KEPT}", OUT_OF_MEMORY
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO):
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}; {KEPT}", DISK_ERROR
    return None


def _told(message: str, code: int) -> int:
    """Says it on stderr, and notes it for the JSON object."""
    tell(error=message)
    say_beside(f"heatproof: {message}", style="bold red", as_wide=True)
    return code
