"""Markdown that holds what strangers wrote."""

import re

from heatproof.visible import visible


def fenced(text: str) -> str:
    r"""A block of code that shows any text as it is; no text can end the block.

    >>> print(fenced("heatproof compare photos"))
    ```
    heatproof compare photos
    ```
    >>> print(fenced("```\n![](http://elsewhere)"))
    ````
    ```
    ![](http://elsewhere)
    ````
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{visible(text)}\n{fence}"
