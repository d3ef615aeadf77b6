"""Untrusted texts, made safe to show: on a terminal, in a page, in a command to be copied."""

import re
import unicodedata

HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # controls, signs that turn the text round, halves of characters
PLAIN = re.compile(r"[ -~\n]*")


def visible(text: str, kept: str = "\n") -> str:
    r"""The text without characters that nobody sees: a file's name must not move the cursor or turn the text round.

    Args:
        text: whatever a stranger wrote.
        kept: characters that stay though nobody sees them.

    >>> visible("a\x1b[31mb\u202e.png")
    'a�[31mb�.png'
    """
    if PLAIN.fullmatch(text) and "\n" in kept:
        return text
    return "".join("�" if is_hidden(letter) and letter not in kept else letter for letter in text)


def is_hidden(letter: str) -> bool:
    """Whether nobody sees this character, though a terminal or a browser may obey it."""
    return unicodedata.category(letter) in HIDDEN
