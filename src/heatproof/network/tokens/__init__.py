"""Token sequences: networks that leave out the tokens of removed patches, instead of replacing what they show."""

from heatproof.network.tokens.dropping import Tokens
from heatproof.network.tokens.layout import CannotDropError, Grid
from heatproof.network.tokens.self_attention import SelfAttention, by_heads

__all__ = ["CannotDropError", "Grid", "SelfAttention", "Tokens", "by_heads"]
