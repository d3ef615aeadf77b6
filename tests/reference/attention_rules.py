"""Relevance through one head of attention as plain loops, transcribed from Achtibat 2024 and Ali 2022, and an oracle.

``q[t][e]``, ``k[u][e]``, ``v[u][d]`` are queries, keys and values of tokens, ``m[t][u]`` what is added to the scores
(−inf where masked), ``r[t][d]`` the relevance of the output.
"""

import contextlib
from math import exp, inf, sqrt

import torch
import torch.nn.functional as F


def attention(q, k, v, m):
    """Scores, weights and outputs."""
    tokens, others = range(len(q)), range(len(k))
    scale = 1 / sqrt(len(q[0]))
    scores = [[scale * sum(a * b for a, b in zip(q[t], k[u], strict=True)) + m[t][u] for u in others] for t in tokens]
    weights = []
    for row in scores:
        largest = max(row)
        parts = [0.0 if score == -inf else exp(score - largest) for score in row]
        weights.append([part / sum(parts) for part in parts])
    outputs = [[sum(weights[t][u] * v[u][d] for u in others) for d in range(len(v[0]))] for t in tokens]
    return scores, weights, outputs


def constant_rule(q, k, v, m, r):
    """Relevance of the values: A_tu · v_ud / o_td of each r_td."""
    _, weights, outputs = attention(q, k, v, m)
    found = [[0.0] * len(v[0]) for _ in v]
    for t in range(len(q)):
        for u in range(len(k)):
            for d in range(len(v[0])):
                found[u][d] += weights[t][u] * v[u][d] / outputs[t][d] * r[t][d]
    return found


def taylor_rule(q, k, v, m, r):
    """Relevance of queries, keys, values and of what is added to the scores."""
    scores, weights, outputs = attention(q, k, v, m)
    scale = 1 / sqrt(len(q[0]))
    of_weights = [[0.0] * len(k) for _ in q]
    of_values = [[0.0] * len(v[0]) for _ in v]
    for t in range(len(q)):
        for u in range(len(k)):
            for d in range(len(v[0])):
                half = weights[t][u] * v[u][d] / (2 * outputs[t][d]) * r[t][d]
                of_weights[t][u] += half
                of_values[u][d] += half
    of_queries, of_keys = [[0.0] * len(q[0]) for _ in q], [[0.0] * len(q[0]) for _ in k]
    of_added = [[0.0] * len(k) for _ in q]
    for t in range(len(q)):
        for u in range(len(k)):
            if scores[t][u] == -inf:
                continue
            of_score = scores[t][u] * (of_weights[t][u] - weights[t][u] * sum(of_weights[t]))
            of_added[t][u] = m[t][u] / scores[t][u] * of_score
            for e in range(len(q[0])):
                half = scale * q[t][e] * k[u][e] / (2 * scores[t][u]) * of_score
                of_queries[t][e] += half
                of_keys[u][e] += half
    return of_queries, of_keys, of_values, of_added


def half(one, other, product=torch.Tensor.matmul):
    """A product, of which each factor gets half of the gradient."""
    return (product(one, other.detach()) + product(one.detach(), other)) / 2


def held(function):
    """The function as a product with f(x)/x, which is a constant to the gradient."""

    def rule(x, *args, **kwargs):
        value = function(x, *args, **kwargs)
        return x * torch.where(x == 0, torch.zeros_like(x), value / x).detach()

    return rule


@contextlib.contextmanager
def gradient_is_relevance(monkeypatch, softmax):
    """Inside, the plain gradient of any module, times an input or a parameter, is its relevance under ε → 0.

    ``softmax`` is "constant" (CP-LRP) or "taylor" (AttnLRP). Nothing of heatproof runs in here.
    """
    plain_softmax, matmul = torch.softmax, torch.Tensor.matmul

    def softmax_rule(x, dim=None, *args, **kwargs):
        value = plain_softmax(x, dim if dim is not None else kwargs["dim"])
        return value.detach() if softmax == "constant" else value

    def product(one, other):
        if isinstance(one, torch.nn.Parameter) or isinstance(other, torch.nn.Parameter):
            return matmul(one, other)
        if softmax == "constant" and (not one.requires_grad or not other.requires_grad):
            return matmul(one, other)
        return half(one, other, matmul)

    def attend(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
        assert not is_causal
        scale = q.shape[-1] ** -0.5 if scale is None else scale
        scores = scale * product(q, k.mT) if softmax == "taylor" else scale * matmul(q, k.mT)
        if attn_mask is not None:
            scores = scores + attn_mask if attn_mask.is_floating_point() else scores.masked_fill(~attn_mask, -inf)
        return product(softmax_rule(scores, -1), v)

    def layer_norm(x, shape, weight=None, bias=None, eps=1e-5):
        dims = tuple(range(-len(shape), 0))
        centred = x - x.mean(dims, keepdim=True)
        value = centred / (centred.square().mean(dims, keepdim=True) + eps).sqrt().detach()
        value = value if weight is None else value * weight.detach()
        return value if bias is None else value + bias

    with monkeypatch.context() as patched:
        patched.setattr(F, "scaled_dot_product_attention", attend)
        patched.setattr(F, "layer_norm", layer_norm)
        for name in ("gelu", "silu", "relu"):
            patched.setattr(F, name, held(getattr(F, name)))
        patched.setattr(F, "softmax", softmax_rule)
        patched.setattr(torch, "softmax", softmax_rule)
        for name in ("matmul", "__matmul__"):
            patched.setattr(torch.Tensor, name, product)
        patched.setattr(torch, "matmul", product)
        patched.setattr(torch.Tensor, "softmax", softmax_rule)
        yield
