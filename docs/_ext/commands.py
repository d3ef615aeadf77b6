"""The directive ``commands``: what every command takes, read from the commands themselves."""

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

import heatproof.cli  # noqa: F401 - registers the commands
from heatproof.cli.application import app as typer_app

MARKUP = re.compile(r"(?<!\\)\[/?(?:bold|italic|dim|link[^]]*)\]")  # of rich's


def commands() -> Iterator[tuple[str, Any, Any]]:
    """Name, command and context of every command, groups' own commands after the group."""
    root = get_command(typer_app)
    yield from _below(root, root.make_context("heatproof", [], resilient_parsing=True))


def _below(group: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - Click's types
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = type(context)(command, info_name=name, parent=context, resilient_parsing=True)
        if hasattr(command, "list_commands"):
            yield from _below(command, inner)
        elif not command.hidden:
            yield inner.command_path, command, inner


def described(command: Any, context: Any) -> str:  # noqa: ANN401 - Click's types
    """The help of a command as Markdown."""
    paragraphs = (command.help or "").replace("\b\n", "").split("\f")[0].strip().split("\n\n")
    text = [_paragraph(paragraph) for paragraph in paragraphs]
    for title, kind in (("Argument", "argument"), ("Option", "option")):
        records = [one.get_help_record(context) for one in command.params if one.param_type_name == kind]
        rows = [f"| `{_cell(names)}` | {_cell(_plain(text))} |" for names, text in filter(None, records)]
        if rows:
            text.append("\n".join([f"| {title} | |", "| --- | --- |", *rows]))
    return "\n\n".join(text)


def _paragraph(text: str) -> str:
    text = MARKUP.sub("", text).replace("\\[", "[")
    if text.strip().startswith("heatproof "):
        return f"```sh\n{text.strip()}\n```"
    return _plain(" ".join(text.split()))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _plain(text: str) -> str:
    for sign in ("\\", "[", "]", "<", ">", "*", "_", "`"):
        text = text.replace(sign, f"\\{sign}")
    return text


class Commands(SphinxDirective):
    """A section for each command."""

    def run(self) -> list[nodes.Node]:
        """Parses the Markdown of all commands."""
        sections = []
        for name, command, context in commands():
            section = nodes.section(ids=[nodes.make_id(name)], names=[name])
            section += nodes.title(name, name)
            section += self.parse_text_to_nodes(described(command, context))
            sections.append(section)
        return sections


def setup(app: Sphinx) -> dict[str, Any]:
    """Registers the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
