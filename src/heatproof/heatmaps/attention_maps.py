"""Maps of a transformer's attention: what its weights, and signals at them, say of each patch.

They read self-attention over the whole token sequence (ViT, DeiT, DINOv2, BEiT, CCT): A has the weights of a layer,
(heads, T, T), of which rows are queries. A product over layers has a row for each token: that of the class token is
read, or the mean over the tokens that the head reads where it reads no class token. A patch's value goes to all its
pixels; pixels outside of the grid of patches get 0.
"""

from typing import Literal

import torch
from torch import Tensor

from heatproof.heatmaps.methods import register
from heatproof.network import attention_weights
from heatproof.network.forward import ForwardPass
from heatproof.network.rules import AlphaBeta, Composite
from heatproof.network.tokens import SelfAttention

Fusion = Literal["mean", "max", "min"]
Z_PLUS = AlphaBeta(1.0, 0.0, bias=False)


@register("attention-rollout", attention=SelfAttention.asked)
def attention_rollout(forward: ForwardPass, *, heads: Fusion = "mean") -> Tensor:
    """Product of (A + I)/2 over the layers [Abnar2020]; the same for all classes.

    A is the mean, maximum or minimum over the heads; rows are divided by their sums.
    """
    fused = (_over_heads(weights, heads) for weights in attention_weights.weights(forward))
    mixed = [(weights + _identity(weights)) / 2 for weights in fused]
    rows = _identity(mixed[-1])[list(forward.attention.asked())]  # (asked, T)
    for layer in reversed(mixed):
        rows = rows @ (layer / layer.sum(dim=-1, keepdim=True))
    return _in_patches(forward, rows.mean(dim=1))


@register("gradient-attention-rollout", way="gradient", attention=SelfAttention.asked)
def gradient_attention_rollout(forward: ForwardPass) -> Tensor:
    """Product of I + E[(∇A ⊙ A)⁺] over the layers, E over the heads, with the score's gradient [Chefer2021b].

    That is R ← R + E[(∇A ⊙ A)⁺] R, from the identity on. Of the product the identity is left out: it gives each token
    to itself, which no row of a class token shows, and the same to all patches where these are averaged.
    """
    pairs = zip(attention_weights.gradients(forward), attention_weights.weights(forward), strict=True)
    return _rolled_out(forward, [_positive(gradient * weights) for gradient, weights in pairs])


@register("transformer-attribution", way="relevance", followed=True, attention=SelfAttention.asked)
def transformer_attribution(forward: ForwardPass) -> Tensor:
    """Product of I + E[(∇A ⊙ R)⁺] over the layers, with the relevance R of A [Chefer2021].

    R is heatproof's own: z⁺ in weighted sums, as in the paper, and the rules of ``lrp-attention[softmax=taylor]`` in
    all else. The paper's differ from these in activations, norms and residual sums. Of the product the identity is
    left out, as in ``gradient-attention-rollout``.
    """
    composite = Composite(Z_PLUS, Z_PLUS, Z_PLUS, softmax="taylor")
    pairs = zip(attention_weights.gradients(forward), attention_weights.relevances(forward, composite), strict=True)
    return _rolled_out(forward, [_positive(gradient * relevance) for gradient, relevance in pairs])


@register("legrad", way="gradient", attention=SelfAttention.streams)
def legrad(forward: ForwardPass) -> Tensor:
    """Σ over layers of (∇A)⁺, averaged over heads and queries, for the score of this layer's tokens [Bousselham2024].

    That score is what follows the last block, on the tokens behind this layer's block, as if there were no later ones.
    Where a norm follows each residual sum (post-norm), the last block's own is part of what follows.
    """
    gradients = attention_weights.gradients_of_blocks(forward)
    total = sum((gradient.relu().mean(dim=(1, 2)) for gradient in gradients), start=torch.zeros(()))
    return _in_patches(forward, total)


def _over_heads(weights: Tensor, how: Fusion) -> Tensor:
    """(N, T, T) of (N, heads, T, T)."""
    if how == "mean":
        return weights.mean(dim=1)
    return weights.amax(dim=1) if how == "max" else weights.amin(dim=1)


def _positive(values: Tensor) -> Tensor:
    """(N, T, T) mean over the heads of what is positive."""
    return values.relu().mean(dim=1)


def _identity(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1]).to(like)


def _rolled_out(forward: ForwardPass, layers: list[Tensor]) -> Tensor:
    """(N, H, W) of the product of I + A over layers A (N, T, T), later ones from the left, minus I.

    The identity is kept apart, since small values beside it would be rounded away.
    """
    own = _identity(layers[-1])[list(forward.attention.asked())]  # (asked, T)
    others = torch.zeros_like(own)
    for layer in reversed(layers):
        others = others + (own + others) @ layer
    return _in_patches(forward, others.mean(dim=1))


def _in_patches(forward: ForwardPass, tokens: Tensor) -> Tensor:
    """(N, H, W) of values (N, T), each at all pixels of its patch, and 0 where no patch is."""
    grid, (height, width) = forward.attention.grid, forward.images.shape[2:]
    patches = tokens[:, forward.attention.patches].unflatten(1, (grid.rows, grid.columns))
    pixels = patches.repeat_interleave(grid.height, dim=1).repeat_interleave(grid.width, dim=2)[:, :height, :width]
    maps = tokens.new_zeros(len(tokens), height, width)
    maps[:, : pixels.shape[1], : pixels.shape[2]] = pixels
    return maps
