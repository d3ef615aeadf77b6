"""Networks that the command can load as ``tiny_networks:NAME``."""

import os
import resource
import signal
from pathlib import Path

import torch
from torch import Tensor, nn

import heatproof as hp


def module() -> nn.Module:
    """A small ReLU network."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(),
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 5),
        )  # fmt: skip


def cnn() -> hp.Network:
    """The same for 36 × 36 pictures."""
    return hp.Network(module(), preprocessing=hp.Preprocessing(resize=40, crop=36), name="tiny")


def transformer() -> hp.Network:
    """A vision transformer with 16 patches of 36 × 36 pictures."""
    from torchvision.models.vision_transformer import VisionTransformer

    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = VisionTransformer(36, 9, 1, 2, 16, 32, num_classes=5)
        for parameter in made.parameters():
            nn.init.normal_(parameter, std=0.3)
    return hp.Network(made, preprocessing=hp.Preprocessing(resize=40, crop=36), name="tiny transformer")


def swin() -> hp.Network:
    """A transformer with windows."""
    from torchvision.models.swin_transformer import SwinTransformer

    made = SwinTransformer([4, 4], 12, [2], [2], [3, 3], num_classes=5)
    return hp.Network(made, preprocessing=hp.Preprocessing(resize=40, crop=36), name="tiny Swin")


class Quarters(nn.Module):
    """A class for each of red, green, blue and grey."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.Conv2d(3, 4, 1)
        with torch.no_grad():
            self.colours.weight.copy_(
                torch.tensor([[2, -1, -1], [-1, 2, -1], [-1, -1, 2], [0, 0, 0]])[:, :, None, None]
            )
            self.colours.bias.copy_(torch.tensor([0, 0, 0, 0.3]))

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu(self.colours(images)).mean(dim=(2, 3))


def quarters() -> hp.Network:
    """A network that knows the colour of a picture, for 36 × 36 pictures."""
    return hp.Network(Quarters(), preprocessing=hp.Preprocessing(resize=36, crop=36), name="quarters")


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


class Moody(nn.Module):
    """A network that has bad days, as ``MOOD`` says: then something happens when it sees a white picture."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 34 * 34, 3))

    def forward(self, images: Tensor) -> Tensor:
        if bool((images.flatten(1).amin(dim=1) > 0.99).any()):
            return self.layers(images) * MOODS[os.environ.get("MOOD", "fine")]()
        return self.layers(images)


def _hungry() -> float:
    """Wants a gigabyte where a tenth of that is left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 100_000_000, hard))
    try:
        return float(torch.ones(2**28)[0])
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _killed() -> float:
    """As the system does to a process when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    return 1.0


MOODS = {"fine": lambda: 1.0, "nan": lambda: torch.nan, "hungry": _hungry, "killed": _killed}


def moody() -> hp.Network:
    """A network without a graph, for 36 × 36 pictures."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(Moody(), preprocessing=hp.Preprocessing(resize=40, crop=36), name="moody")


def not_a_network() -> int:
    """Something else."""
    return 3
