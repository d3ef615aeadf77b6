"""Numbers with units, and names, as one would say them."""

from collections.abc import Sequence

UNITS = ("", " k", " M", " G", " T")


def duration(seconds: float) -> str:
    """A time, in units that suit it.

    >>> [duration(seconds) for seconds in (0.0321, 4.21, 96, 214, 750, 12_000)]
    ['0.03 s', '4.2 s', '96 s', '3 min 34 s', '12 min', '3 h 20 min']
    """
    if seconds < 120:
        return f"{seconds:.{0 if seconds >= 10 else 1 if seconds >= 1 else 2}f} s"
    if seconds < 600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def amount(number: float) -> str:
    """A large number, to three digits.

    >>> [amount(number) for number in (0, 812, 40_200, 736_000_000, 15_470_000_000)]
    ['0', '812', '40.2 k', '736 M', '15.5 G']
    """
    power = 0
    while abs(number) >= 999.5 and power < len(UNITS) - 1:
        number, power = number / 1000, power + 1
    return f"{number:.3g}{UNITS[power]}"


def memory(size: float) -> str:
    """Bytes, with decimal prefixes.

    >>> memory(197_400_000)
    '197 MB'
    """
    text = amount(size)
    return f"{text}B" if " " in text else f"{text} B"


def counted(number: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "repeat"), counted(4816, "evaluation")
    ('1 repeat', '4,816 evaluations')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["lrp-epsilon", "sobel", "random"])
    'lrp-epsilon, sobel and random'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
