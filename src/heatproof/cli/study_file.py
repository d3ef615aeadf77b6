"""A command may take its options from a study file: ``heatproof compare study.toml --regions 16``."""

import inspect
import os
import textwrap
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import typer

from heatproof.cli.application import Command, app
from heatproof.cli.keys import Key, keys_of, validated
from heatproof.errors import InputError
from heatproof.registry import unknown
from heatproof.runs.study_file import Settings, Value, read_toml, value_to_toml

STUDY = "study"  # the key that says which command
ENDING = ".toml"
WIDTH = 100
_SETTINGS = "heatproof.settings"


class StudyCommand(Command):
    """A command whose options may stand in a file: ``@app.command("compare", cls=StudyCommand)``.

    A single positional argument that ends in ``.toml`` is the study file. What the command line holds beside it
    takes the place of the file's values.
    """

    @cached_property
    def keys(self) -> dict[str, Key]:
        """The keys of its study files."""
        return {name: key for name, key in keys_of(self.callback).items() if key.option.in_files}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's class is private
        """Fills in what the study file holds; notes all settings."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        file, rest = self._split(ctx, args)
        if file:
            settings = self.read(ctx, file)
            if self._given(ctx, rest).get("out") is None:
                _check_out(settings.get("out"), file)
            ctx.default_map = {
                self.keys[name].declared.field: self.keys[name].argument(value) for name, value in settings.items()
            }
        left = super().parse_args(ctx, list(rest))
        ctx.meta[_SETTINGS] = self._settings(ctx, rest)
        return left

    def read(self, ctx: Any, file: Path) -> Settings:  # noqa: ANN401 - Typer's class is private
        """What a study file holds for this command, with paths from the file's folder."""
        return read_study(file, str(self.name), self.keys)

    def _split(self, ctx: Any, args: list[str]) -> tuple[Path | None, list[str]]:  # noqa: ANN401
        """The study file, and the arguments without it."""
        if not self._is_study(self._positional(ctx, args)):
            return None, args
        for i in range(len(args)):
            rest = args[:i] + args[i + 1 :]
            if args[i].endswith(ENDING) and not self._positional(ctx, rest):
                return Path(args[i]), rest
        return None, args

    @staticmethod
    def _is_study(positional: list[str]) -> bool:
        return len(positional) == 1 and positional[0].endswith(ENDING)

    def _given(self, ctx: Any, args: list[str]) -> dict[str, Any]:  # noqa: ANN401
        """Texts of the command line by parameter, before anything is made of them."""
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        return dict(given)

    def _positional(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        given = self._given(ctx, args)
        return [text for p in self.params if p.param_type_name == "argument" for text in given.get(p.name) or ()]

    def _settings(self, ctx: Any, args: list[str]) -> Settings:  # noqa: ANN401
        """Every key that has a value, in the order of the options, with paths from the root."""
        given = (ctx.default_map or {}) | {
            name: text for name, text in self._given(ctx, args).items() if text is not None
        }
        settings: Settings = {STUDY: str(self.name)}
        for key in self.keys.values():
            value = key.setting(ctx.params.get(key.declared.field), given.get(key.declared.field, key.default))
            if value is not None:
                settings[key.name] = key.placed(value, Path.cwd())
        return settings


def _check_out(out: Value | None, file: Path) -> None:
    """Refuses a place outside the folder of a file, which may come from a stranger."""
    if out is None:
        return
    folder, place = Path(os.path.realpath(file.parent)), Path(os.path.realpath(str(out)))
    if "://" in str(out) or not place.is_relative_to(folder) or not Path(str(out)).name.strip():
        raise InputError(
            f"{str(file)!r} may only write below its folder, got out = {str(out)!r:.200}; give --out on the command "
            "line for any other folder"
        )


def settings_of(context: typer.Context) -> Settings:
    """Every key of the command that runs and its value, ``study`` first; what has no value is left out.

    It is what :func:`heatproof.runs.study_file.resolved` writes and ``differences`` compares. Paths begin at the
    root, so that the file means the same wherever it lies.
    """
    found: Settings = context.meta[_SETTINGS]
    return found


def read_study(file: Path, study: str, keys: Mapping[str, Key]) -> Settings:
    """The settings of a study file, without ``study``; paths are taken from the file's folder.

    Raises:
        InputError: if it is no TOML, no study or another one, or has unknown keys or values of another kind.
    """
    content = read_toml(file)
    found = content.pop(STUDY, None)
    if found is None:
        raise InputError(
            f'{str(file)!r} is not a study file: expected the line {STUDY} = "{study}" in it; '
            f"'heatproof init --study {study}' writes one"
        )
    if found != study:
        other = f"; run it with 'heatproof {found} {file.name}'" if found in studies() else ""
        raise InputError(
            f'{str(file)!r} is for another command: expected {STUDY} = "{study}", got {found!r:.80}{other}'
        )
    settings = validated(content, keys, str(file))
    return {name: keys[name].placed(value, file.parent) for name, value in settings.items()}


def commented(study: str, command: StudyCommand) -> str:
    """A study file with every key of a command, its default, and what it means."""
    lines = [
        *_comment(inspect.cleandoc(command.help or "").partition("\n\n")[0]),
        "#",
        *_comment(
            f"Run it: heatproof {study} FILE. Options of the command line take the place of keys of this file. Paths "
            "are taken from the folder of this file. A line that begins with # says nothing: its key has no value, and "
            "the one that stands there shows only of what kind it is."
        ),
        "",
        f"{STUDY} = {value_to_toml(study)}",
    ]
    for key in command.keys.values():
        mark = "" if key.default is not None else "# "
        lines += ["", *_comment(_about(key)), f"{mark}{key.name} = {value_to_toml(_example(key))}"]
    return "\n".join(lines) + "\n"


def _about(key: Key) -> str:
    needed = " Needed, here or on the command line." if key.declared.needed else ""
    return (key.option.help or "").replace("\\[", "[") + needed


def _comment(text: str) -> list[str]:
    wrapped = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" for line in wrapped]


def _example(key: Key) -> Any:  # noqa: ANN401 - whatever the option holds
    """The default; or a value of the same kind."""
    if key.default is not None:
        return key.setting(key.declared.default, key.default)
    if key.kind is bool:
        return True
    if key.kind in (int, float) and not key.option.parse:
        return key.kind(key.option.low or 1)
    text = key.option.metavar or key.name.upper()
    return [text.strip("[].")] if key.listed else text


def studies() -> list[str]:
    """The commands that have study files of their own."""
    return [str(command.name) for command in app.registered_commands if command.cls is StudyCommand]


def command_of(study: str, commands: Mapping[str, Any]) -> StudyCommand:
    """The command of a study, among all commands; one that borrows another's study files has none of its own."""
    known = {name: command for name, command in commands.items() if type(command) is StudyCommand}
    if study not in known:
        raise InputError(unknown("study", study, list(known)))
    return known[study]
