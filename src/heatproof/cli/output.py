"""What a command gives back: lines for a reader, or one JSON object for a program."""

import json
import math
from dataclasses import dataclass, field
from typing import Any

from heatproof.visible import is_hidden, visible


@dataclass
class Output:
    """How the command that runs is to answer, and what it has to say so far.

    Attributes:
        as_json: one JSON object on stdout and nothing else there (``--json``).
        quiet: no progress (``--quiet``).
        found: what the JSON object will hold.
    """

    as_json: bool = False
    quiet: bool = False
    found: dict[str, Any] = field(default_factory=dict)

    def begin(self, *, as_json: bool) -> None:
        """Forgets what an earlier command said."""
        self.as_json, self.quiet, self.found = as_json, False, {}

    def end(self, code: int) -> str:
        """The JSON object, as text: what was found, and the exit code."""
        text = json.dumps(plain(self.found) | {"exit_code": code}, indent=2, ensure_ascii=False, allow_nan=False)
        return "".join(map(_escaped, text)) if visible(text) != text else text


def _escaped(letter: str) -> str:
    """A letter of a JSON text; what a terminal may obey stands there by its number, which is the same JSON."""
    return json.dumps(letter)[1:-1] if is_hidden(letter) and letter != "\n" else letter


output = Output()  # of this process, which runs one command


def tell(**found: Any) -> None:  # noqa: ANN401 - whatever a command finds
    """Adds to the JSON object; a reader sees nothing of it. A list that is there already grows."""
    for name, value in found.items():
        there = output.found.get(name)
        output.found[name] = [*there, *value] if isinstance(there, list) else value


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a command finds
    """The value as JSON allows it: null for NaN and infinity, no NumPy, no paths, no invalid characters.

    >>> import numpy as np
    >>> plain({"AOPC": np.float64(0.5), "low": float("nan"), "names": ("a", None)})
    {'AOPC': 0.5, 'low': None, 'names': ['a', None]}
    """
    if isinstance(value, dict):
        return {plain(str(name)): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy's and torch's numbers and arrays
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return str(value).encode("utf-8", errors="replace").decode()  # file names may hold lone surrogates
