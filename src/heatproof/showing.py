"""How things that have no table of their own show in a notebook."""

import html
from collections.abc import Mapping, Sequence


def facts_html(title: str, facts: Mapping[str, object]) -> str:
    """A small table of names and what belongs to them; every text is escaped.

    >>> facts_html("A <net>", {"classes": 10})
    '<table><caption>A &lt;net&gt;</caption><tr><th scope="row">classes</th><td>10</td></tr></table>'
    """
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(str(fact))}</td></tr>'
        for name, fact in facts.items()
    )
    return f"<table><caption>{html.escape(title)}</caption>{rows}</table>"


def sentences_html(sentences: Sequence[str]) -> str:
    """A paragraph for each; every text is escaped.

    >>> sentences_html(["1 < 2"])
    '<p>1 &lt; 2</p>'
    """
    return "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)
