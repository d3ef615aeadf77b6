"""Token sequences: networks that leave out the tokens of removed patches, instead of replacing what they show."""

from heatproof.network.tokens.dropping import Tokens
from heatproof.network.tokens.layout import CannotDropError, Grid

__all__ = ["CannotDropError", "Grid", "Tokens"]
