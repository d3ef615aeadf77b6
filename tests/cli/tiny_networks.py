"""Networks that the command can load as ``tiny_networks:NAME``."""

import torch
from torch import Tensor, nn

import heatproof as hp


def cnn() -> hp.Network:
    """A small ReLU network for 36 × 36 pictures."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(),
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 5),
        )  # fmt: skip
    return hp.Network(module, preprocessing=hp.Preprocessing(resize=40, crop=36), name="tiny")


class Branching(nn.Module):
    """A network that cannot be exported: which way it goes depends on the values."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 36 * 36, 4)

    def forward(self, images: Tensor) -> Tensor:
        scale = 2.0 if images.sum() > 0 else 1.0
        return scale * self.head(images.flatten(1))


def branching() -> hp.Network:
    """A network without a graph."""
    return hp.Network(Branching(), preprocessing=hp.Preprocessing(resize=40, crop=36))


class Nan(nn.Module):
    """A network whose scores are not numbers."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :4] * torch.nan


def nan() -> hp.Network:
    """A network that returns NaN."""
    return hp.Network(Nan(), preprocessing=hp.Preprocessing(resize=40, crop=36))


def not_a_network() -> int:
    """Something else."""
    return 3
