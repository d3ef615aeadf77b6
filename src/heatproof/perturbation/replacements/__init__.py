"""What a removed region becomes, one file each. Importing a file registers it."""

from heatproof.perturbation.replacements import (  # noqa: F401 - imported to register
    black,
    blur,
    constant,
    dirichlet,
    grey,
    histogram,
    inpaint,
    mean_colour,
    road,
    uniform,
)
from heatproof.perturbation.replacements.replacements import REPLACEMENTS, asks_for

__all__ = ["REPLACEMENTS", "asks_for"]
