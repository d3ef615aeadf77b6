"""Which pictures a page shows being destroyed."""

from collections.abc import Sequence
from pathlib import Path

from heatproof.errors import InputError
from heatproof.registry import is_whole, unknown

MOST = 100


def chosen_numbers(show: int | str, names: Sequence[str]) -> tuple[int, ...]:
    """Places of the pictures to show: the first so many, or those of these names, separated by commas.

    Raises:
        InputError: for a number that is none, or a name that no image has.

    >>> chosen_numbers(1, ["a/cat.png", "a/dog.png"]), chosen_numbers("dog.png,a/cat.png", ["a/cat.png", "a/dog.png"])
    ((0,), (1, 0))
    """
    if isinstance(show, int) or is_whole(show):
        if not 0 <= int(show) <= MOST:
            raise InputError(f"show must be between 0 and {MOST} pictures, or their names, got {show}")
        return tuple(range(min(int(show), len(names))))
    places = {Path(name).name: number for number, name in reversed(list(enumerate(names)))}
    places |= {name: number for number, name in enumerate(names)}
    wanted = [name.strip() for name in show.split(",")]
    for name in wanted:
        if name not in places:
            raise InputError(unknown("picture to show", name, names[:MOST]))
    if len(wanted) > MOST:
        raise InputError(f"show must name at most {MOST} pictures, got {len(wanted)}")
    return tuple(dict.fromkeys(places[name] for name in wanted))
