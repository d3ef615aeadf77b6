"""Docstrings as pages want them: keys of sources, such as [Samek2017], are links, and so are our own classes."""

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

BARS = re.compile(r"(?<![`\w])\|([\w(),]+)\|")  # absolute values, which reStructuredText would take for substitutions
KEYS = re.compile(r"\[((?:[A-Z][A-Za-z]+\d{4}[a-z]?(?:, )?)+)\]")


def link_sources(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Changes the lines of one docstring in place."""
    lines[:] = [KEYS.sub(lambda match: f"[{_links(match[1])}]", BARS.sub(r"\\|\1\\|", line)) for line in lines]


def link_classes(
    app: Sphinx, environment: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """A name of ours is documented where it is imported from (``heatproof.Network``), not where it is defined."""
    target = str(node.get("reftarget", ""))
    if node.get("refdomain") != "py" or not target.startswith("heatproof."):
        return None
    objects = environment.domains.python_domain.objects
    found = [name for name in objects if name.rpartition(".")[2] == target.rpartition(".")[2]]
    if len(found) != 1:
        return None
    entry = objects[found[0]]
    return make_refnode(app.builder, str(node["refdoc"]), entry.docname, entry.node_id, [content], found[0])


def _links(keys: str) -> str:
    return ", ".join(f":ref:`{key} <{key.lower()}>`" for key in keys.split(", "))


def setup(app: Sphinx) -> dict[str, Any]:
    """Hooks into autodoc, and into references that nothing else resolves."""
    app.connect("autodoc-process-docstring", link_sources)
    app.connect("missing-reference", link_classes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
