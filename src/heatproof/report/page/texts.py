"""Names as they may stand in a page: whatever a file is called, it changes nothing around it."""

import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from heatproof.visible import visible as visible_in


def visible(text: str) -> str:
    """The text without characters that nobody sees; line breaks stay."""
    return visible_in(text, kept="\n\t")


def literal(text: str) -> str:
    """Escapes a text for Plotly, which reads a little HTML in names, titles and labels.

    >>> literal("<b>R&D</b>"), literal("%{x} $x$")
    ('&lt;b&gt;R&amp;D&lt;/b&gt;', '%&#123;x&#125; &#36;x&#36;')
    """
    signs = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "{": "&#123;", "}": "&#125;", "$": "&#36;"}
    return "".join(signs.get(letter, letter) for letter in " ".join(visible(text).split()))


def short(name: str, most: int = 28) -> str:
    """A name for Plotly's axes and labels, which must leave room for the chart; names differ at their ends.

    >>> short("a_very_long_name_of_a_method[epsilon=0.01]")
    'a_very_long_na…epsilon=0.01]'
    """
    return literal(name if len(name) <= most else f"{name[: most // 2]}…{name[-most // 2 + 1 :]}")


def embedded(content: Mapping[str, Any]) -> str:
    r"""JSON that may stand in a script element, which ends at the first ``</script`` whatever is around it.

    >>> embedded({"name": "</script>"})
    '{"name":"\\u003c/script>"}'
    """
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def environment(package: str, folder: str) -> Environment:
    """Templates of a package that escape every text, and show what nobody would see."""
    return Environment(
        loader=PackageLoader(package, folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
