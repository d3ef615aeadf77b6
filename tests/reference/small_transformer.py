"""A vision transformer written out, which keeps its attention, and the maps that are named after it, as plain loops.

Its attention is in ``kept`` after a forward pass: (B, heads, T, T) for each block. Nothing of heatproof runs in here.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class SmallTransformer(nn.Module):
    """Pre-norm blocks; ``pool`` is "class", "mean", "learned" (CCT's) or "both" (class token beside the mean)."""

    def __init__(self, pool="class", *, written="matmul", dim=12, heads=3, patch=3, depth=3, registers=0):
        super().__init__()
        self.pool, self.written, self.heads, self.registers = pool, written, heads, registers
        self.patches = nn.Conv2d(3, dim, patch, patch)
        self.token, self.register = (nn.Parameter(torch.zeros(1, n, dim)) for n in (1, registers))
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm": nn.LayerNorm(dim),
                    "qkv": nn.Linear(dim, 3 * dim),
                    "out": nn.Linear(dim, dim),
                    "before": nn.LayerNorm(dim),
                    "mlp": nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)),
                }
            )
            for _ in range(depth)
        )
        self.norm, self.scores = nn.LayerNorm(dim), nn.Linear(dim, 1)
        self.head = nn.Linear(2 * dim if pool == "both" else dim, 5)
        self.kept = []

    @property
    def before(self):
        """Tokens before those of patches."""
        return 1 if self.pool in ("class", "both") else 0

    def embedded(self, images):
        """Tokens of images of any size, with no positions."""
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        first = [self.token.expand(images.shape[0], -1, -1)] * self.before
        last = [self.register.expand(images.shape[0], -1, -1)] if self.registers else []
        return torch.cat([*first, tokens, *last], dim=1)

    def block(self, block, tokens):
        """Tokens behind a block, and its attention, a leaf of the gradient's if it keeps one."""
        mixed, weights = self.attention(block, block["norm"](tokens))
        tokens = tokens + block["out"](mixed)
        return tokens + block["mlp"](block["before"](tokens)), weights

    def attention(self, block, tokens):
        batch, count, dim = tokens.shape
        together = block["qkv"](tokens).reshape(batch, count, 3, self.heads, dim // self.heads)
        queries, keys, values = together.permute(2, 0, 3, 1, 4).unbind(0)
        weights = None
        if self.written == "sdpa":
            mixed = F.scaled_dot_product_attention(queries, keys, values)
        elif self.written == "transposed":
            weights = (keys @ queries.mT / math.sqrt(dim // self.heads)).softmax(dim=-2)
            mixed = (values.mT @ weights).mT
        elif self.written == "bmm":
            flat = [part.reshape(batch * self.heads, count, -1) for part in (queries, keys, values)]
            weights = (torch.bmm(flat[0], flat[1].mT) / math.sqrt(dim // self.heads)).softmax(dim=-1)
            mixed = torch.bmm(weights, flat[2]).reshape(batch, self.heads, count, -1)
        else:
            weights = (queries @ keys.mT / math.sqrt(dim // self.heads)).softmax(dim=-1)
            mixed = weights @ values
        return mixed.transpose(1, 2).reshape(batch, count, dim), weights

    def read_out(self, tokens):
        """Scores of the tokens behind a block."""
        tokens = self.norm(tokens)
        patches = tokens[:, self.before : tokens.shape[1] - self.registers]
        if self.pool == "class":
            return self.head(tokens[:, 0])
        if self.pool == "both":
            return self.head(torch.cat([tokens[:, 0], patches.mean(dim=1)], dim=-1))
        if self.pool == "learned":
            return self.head((self.scores(patches).softmax(dim=1).transpose(1, 2) @ patches).squeeze(1))
        return self.head(patches.mean(dim=1))

    def forward(self, images):
        tokens, self.kept = self.embedded(images), []
        for block in self.blocks:
            tokens, weights = self.block(block, tokens)
            self.kept.append(weights)
        return self.read_out(tokens)


def recorded(module, image, target):
    """Weights and derivatives of a score with respect to them, (heads, T, T) for each block, of one image."""
    with torch.enable_grad():
        score = module(image[None].clone().requires_grad_())[0, target]
        gradients = torch.autograd.grad(score, module.kept)
    return [weights[0].detach() for weights in module.kept], [gradient[0] for gradient in gradients]


def rollout(weights, fuse):
    """Product of (A + I)/2."""
    product = torch.eye(weights[0].shape[-1]).to(weights[0])
    for layer in weights:
        mixed = (fuse(layer) + torch.eye(layer.shape[-1]).to(layer)) / 2
        mixed = torch.stack([row / sum(row) for row in mixed])
        product = mixed @ product
    return product


def gradient_rollout(weights, gradients):
    """R ← R + Ā R, as Chefer's code for ViT has it."""
    relevance = torch.eye(weights[0].shape[-1]).to(weights[0])
    for layer, gradient in zip(weights, gradients, strict=True):
        cam = (gradient * layer).clamp(min=0).mean(dim=0)
        relevance = relevance + torch.matmul(cam, relevance)
    return relevance


def legrad_tokens(module, image, target):
    """(T,) values of tokens: the head asked about the tokens of each block, one after the other."""
    total = 0
    with torch.enable_grad():
        tokens = module.embedded(image[None]).detach().requires_grad_()
        for block in module.blocks:
            tokens, weights = module.block(block, tokens)
            score = module.read_out(tokens)[0, target]
            (gradient,) = torch.autograd.grad(score, weights, retain_graph=True)
            total = total + gradient[0].clamp(min=0).mean(dim=0).mean(dim=0)
    return total.detach()


def in_patches(tokens, before, rows, columns, patch, size):
    """(H, W) a pixel's value is that of its patch; 0 where there is none."""
    found = torch.zeros(size, dtype=tokens.dtype)
    for row in range(rows * patch):
        for column in range(columns * patch):
            if row < size[0] and column < size[1]:
                found[row, column] = tokens[before + (row // patch) * columns + column // patch]
    return found
