"""Which numbers are allowed: declared once, for options in brackets, options of commands, and arguments alike."""

from dataclasses import dataclass

from heatproof.errors import InputError


@dataclass(frozen=True)
class Bounds:
    """Numbers from ``low`` to ``high``, both included; whole ones only, if both are whole.

    An option of something registered is declared ``sigma: Annotated[float, Bounds(0.1, 10.0)] = 1.0``.

    >>> Bounds(1, 100).check("repeats", 7)
    >>> Bounds(1, 100).check("repeats", 10**11)
    Traceback (most recent call last):
    heatproof.errors.InputError: repeats must be a whole number from 1 to 100, got 100000000000
    """

    low: float
    high: float

    @property
    def whole(self) -> bool:
        """Whether fractions are refused."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __str__(self) -> str:
        low, high = (f"{end:,}" if isinstance(end, int) else f"{end:g}" for end in (self.low, self.high))
        return f"{'a whole number' if self.whole else 'a number'} from {low} to {high}"

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.low <= value <= self.high  # false for NaN

    def check(self, what: str, value: object) -> None:
        """Refuses a value that is out of bounds, with its name.

        Raises:
            InputError: saying what was expected, and what came.
        """
        if value not in self:
            raise InputError(f"{what} must be {self}, got {value!r:.80}")


ANY = Bounds(-1e300, 1e300)  # of an option that declares no bounds
SEED = Bounds(0, 2**63 - 1)
REPEATS = Bounds(1, 10_000)
MANY = Bounds(1, 10**12)  # images or steps; there may be fewer
AUDITED = Bounds(0, 1_000_000)  # images; there may be fewer
PILOT = Bounds(2, 1_000_000)  # images; there may be fewer
MEMORY = Bounds(0, 2**50)  # bytes
SIDE = Bounds(1, 100_000)  # pixels of a picture
CLASS = Bounds(0, 2**24)  # index; there may be fewer
PIXELS = Bounds(1, 10**10)
REGION = Bounds(1, 100_000)  # side in pixels
GRID = Bounds(2, 3)  # tiles on a side of a mosaic
TWICE = Bounds(1, 2)
PROBABILITY = Bounds(0.0, 1.0)
SCALE = Bounds(1e-6, 1e6)  # of a network's pixel values
LEVEL = Bounds(-1e6, 1e6)  # of a network's pixel values
NOISE = Bounds(1e-6, 1.0)  # standard deviation of pixels in [0, 1]
SHIFT = Bounds(1, 1_000)  # pixels
SHARE = Bounds(0.0, 10.0)  # of a score
DRAWS = Bounds(1, 1_000)  # of changed images
LAYERS = Bounds(1, 10_000)  # groups of them
WORKERS = Bounds(1, 10_000)
