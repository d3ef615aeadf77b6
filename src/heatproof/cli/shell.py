"""Commands that a reader can copy into a shell."""

import os
import shlex
from collections.abc import Iterable

from heatproof.visible import is_hidden


def shell_line(words: Iterable[str]) -> str:
    r"""One line that a shell reads as these words; characters that a terminal would obey stand in it as bytes.

    >>> print(shell_line(["heatproof", "my photos", "it's \x1b[2J\n"]))
    heatproof 'my photos' $'it\'s \x1b[2J\x0a'
    """
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if not any(map(is_hidden, word)):
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def _escaped(letter: str) -> str:
    if is_hidden(letter):
        return "".join(f"\\x{byte:02x}" for byte in os.fsencode(letter))
    return f"\\{letter}" if letter in "\\'" else letter
