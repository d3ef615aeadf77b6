"""Formulas as MathML, which browsers draw by themselves: no script and no font has to be loaded."""

from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx


def inline(self: Any, node: nodes.Element) -> None:  # noqa: ANN401 - Sphinx's translator
    """A formula within a line."""
    self.body.append(_mathml(node, display=False))
    raise nodes.SkipNode


def block(self: Any, node: nodes.Element) -> None:  # noqa: ANN401 - Sphinx's translator
    """A formula on lines of its own; one that is too wide can be scrolled, with the keyboard too."""
    self.body.append(f'<div class="formula" tabindex="0">{_mathml(node, display=True)}</div>')
    raise nodes.SkipNode


def _mathml(node: nodes.Element, *, display: bool) -> str:
    converted: str = latex2mathml.tex2mathml(" ".join(node.astext().split()), as_block=display)
    return converted


def setup(app: Sphinx) -> dict[str, Any]:
    """Registers the renderer, which ``html_math_renderer = "mathml"`` chooses."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
