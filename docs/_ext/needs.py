"""A line ``<!-- needs: package -->`` above code, which the tests read, is shown to readers too."""

import re
from typing import Any

from sphinx.application import Sphinx

NEEDS = re.compile(r"^<!-- needs: (.+?) -->$", re.MULTILINE)


def show_needs(app: Sphinx, page: str, source: list[str]) -> None:
    """Changes the text of a page in place."""
    source[0] = NEEDS.sub(r"*Runs where \1 is installed:*\n", source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Hooks into reading."""
    app.connect("source-read", show_needs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
