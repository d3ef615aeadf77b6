"""What an output position of an operation reads of its inputs."""

from dataclasses import dataclass

Pair = tuple[int, int]  # along the height and along the width


@dataclass(frozen=True)
class Reach:
    """Output position o reads the input from ``o · stride − padding`` on, over ``size`` positions, on either axis.

    Attributes:
        size: positions from the first to the last that is read (a dilated kernel's gaps included).
        stride: input positions from one output to the next.
        padding: positions before the map; what lies outside the map reads as ``fill``.
        fill: 0 for sums and means, −∞ for maxima.
    """

    size: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    fill: float = 0.0

    @property
    def pointwise(self) -> bool:
        """Whether an output reads its own position alone."""
        return self.size == (1, 1) and self.stride == (1, 1) and self.padding == (0, 0)

    def span(self, axis: int, length: int) -> int:
        """How many input positions ``length`` neighbouring outputs read together."""
        return (length - 1) * self.stride[axis] + self.size[axis]


POINTWISE = Reach()
