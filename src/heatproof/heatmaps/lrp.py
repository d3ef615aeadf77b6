"""Layer-wise relevance propagation: relevance of the pixels, summed over channels, with its sign.

Biases stand in the denominators, as in the first public implementations, and absorb relevance there; with
``bias=exclude`` they are left out, as in the printed formulas. Sums of maps and mean pooling share relevance in
proportion, with a stabiliser of 1e-6; activations pass it; max-pooling sends it to the maximum; local response norms
share it by a first-order expansion.
"""

from typing import Annotated, Literal

from heatproof.bounds import Bounds
from heatproof.errors import InputError
from heatproof.heatmaps.methods import register
from heatproof.network.backward import Relevance
from heatproof.network.forward import ForwardPass
from heatproof.network.operations import Positions, Softmaxes
from heatproof.network.operations.relevance import STABILISER, RelevanceRule
from heatproof.network.rules import AlphaBeta, Box, Composite, Epsilon, Flat, Gamma

Stabiliser = Annotated[float, Bounds(1e-30, 1e30)]
Bias = Literal["include", "exclude"]


@register("lrp-epsilon", way="relevance")
def lrp_epsilon(forward: ForwardPass, *, epsilon: Stabiliser = 0.01, bias: Bias = "include") -> Relevance:
    """LRP-ε in every layer [Bach2015]."""
    return forward.relevance(_everywhere(_epsilon(epsilon, bias)))


@register("lrp-alphabeta", way="relevance")
def lrp_alphabeta(
    forward: ForwardPass,
    *,
    alpha: Annotated[float, Bounds(1.0, 1e6)] = 2.0,
    beta: Annotated[float, Bounds(-1e6, 0.0)] = -1.0,
    bias: Bias = "include",
) -> Relevance:
    """LRP-αβ in every layer; α + β = 1 [Bach2015]."""
    return forward.relevance(_everywhere(_alphabeta(alpha, beta, bias)))


@register("lrp-epsilon-plus-flat", way="relevance")
def lrp_epsilon_plus_flat(
    forward: ForwardPass, *, epsilon: Stabiliser = STABILISER, bias: Bias = "include"
) -> Relevance:
    """ε in dense layers, α1β0 (z⁺) in convolutions, flat in the first layer [Kohlbrenner2020]."""
    convolution = _alphabeta(1.0, 0.0, bias)
    return forward.relevance(Composite(first=Flat(), convolution=convolution, dense=_epsilon(epsilon, bias)))


@register("lrp-epsilon-alpha2-beta1-flat", way="relevance")
def lrp_epsilon_alpha2_beta1_flat(
    forward: ForwardPass, *, epsilon: Stabiliser = STABILISER, bias: Bias = "include"
) -> Relevance:
    """ε in dense layers, α2β−1 in convolutions, flat in the first layer [Kohlbrenner2020]."""
    convolution = _alphabeta(2.0, -1.0, bias)
    return forward.relevance(Composite(first=Flat(), convolution=convolution, dense=_epsilon(epsilon, bias)))


@register("lrp-epsilon-gamma-box", way="relevance")
def lrp_epsilon_gamma_box(
    forward: ForwardPass,
    *,
    epsilon: Stabiliser = STABILISER,
    gamma: Annotated[float, Bounds(0.0, 1e6)] = 0.25,
    bias: Bias = "include",
) -> Relevance:
    """ε in dense layers, γ in convolutions, the range of the pixels (z^B) in the first layer [Montavon2019]."""
    convolution = Gamma(gamma, bias=bias == "include")
    box = Box(forward.low, forward.high)
    return forward.relevance(Composite(first=box, convolution=convolution, dense=_epsilon(epsilon, bias)))


@register("lrp-attention", way="relevance")
def lrp_attention(
    forward: ForwardPass,
    *,
    softmax: Softmaxes = "constant",
    epsilon: Stabiliser = STABILISER,
    gamma: Annotated[float, Bounds(0.0, 1e6)] = 0.05,
    positions: Positions = "absorb",
    bias: Bias = "include",
) -> Relevance:
    """γ in the layers of a transformer, ε in the projections of its attention [Achtibat2024].

    Attention's weights are constants [Ali2022], or (``softmax=taylor``, AttnLRP) relevance goes on through its softmax
    to queries and keys. The first layer, the patch embedding, takes five times γ (0.25 and 0.05 as published);
    ``gamma=0`` is ε everywhere. γ gives most of the quality, and is to be tuned for each network. With
    ``positions=patch`` the relevance of a token's position is added to its patch [Bakish2025].

    >>> import torch
    >>> from torchvision.models import VisionTransformer
    >>> from heatproof import Network, explain
    >>> vit = VisionTransformer(image_size=16, patch_size=8, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16)
    >>> explain(Network(vit), torch.rand(2, 3, 16, 16), "lrp-attention[softmax=taylor,gamma=0.1]").shape
    torch.Size([2, 16, 16])
    """
    plain = _epsilon(epsilon, bias)
    first, inner = (Gamma(g, bias=bias == "include") if gamma else plain for g in (5 * gamma, gamma))
    return forward.relevance(Composite(first, inner, inner, projection=plain, softmax=softmax, positions=positions))


def _everywhere(rule: RelevanceRule) -> Composite:
    return Composite(first=rule, convolution=rule, dense=rule)


def _epsilon(epsilon: float, bias: str) -> Epsilon:
    return Epsilon(epsilon, bias=bias == "include")


def _alphabeta(alpha: float, beta: float, bias: str) -> AlphaBeta:
    if abs(alpha + beta - 1) > 1e-9:
        raise InputError(f"alpha + beta must be 1 with alpha ≥ 1 and beta ≤ 0, got alpha = {alpha}, beta = {beta}")
    return AlphaBeta(alpha, beta, bias=bias == "include")
