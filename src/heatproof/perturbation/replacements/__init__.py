"""What a removed region becomes, one file each. Importing a file registers it."""

from heatproof.perturbation.replacements import uniform  # noqa: F401 - imported to register
from heatproof.perturbation.replacements.replacements import REPLACEMENTS

__all__ = ["REPLACEMENTS"]
