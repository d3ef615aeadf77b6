"""Networks, images and maps whose right answers are known, made from addressed draws."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.network.trial import Trial
from heatproof.randomness import addressed

CLASSES = 4
SLOPE = 6.0  # of the brightness network: its logits spread over what a softmax can tell apart


class SmallCNN(nn.Module):
    """Convolutions, ReLUs, max-pooling, a residual addition, mean pooling; for images of any size from 8 × 8.

    With ``functional``, the ReLUs are no modules; the function is the same.
    """

    def __init__(self, *, functional: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, bias=bias)
        self.second = nn.Conv2d(8, 8, 3, padding=1, bias=bias)
        self.third = nn.Conv2d(8, 8, 3, padding=1, bias=bias)
        self.head = nn.Linear(8 * 16, CLASSES, bias=bias)
        self.functional = functional
        if not functional:
            self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        _draw(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, classes) scores."""
        relus = (F.relu,) * 3 if self.functional else (self.relu1, self.relu2, self.relu3)
        x = F.max_pool2d(relus[0](self.first(x)), 2)
        x = relus[2](self.third(relus[1](self.second(x))) + x)
        scores: Tensor = self.head(F.adaptive_avg_pool2d(x, 4).flatten(1))
        return scores


class Toys:
    """Networks of one run of the suite, each made once: what a subject does to them, the next run does not see."""

    def __init__(self) -> None:
        self._made: dict[str, Network] = {}

    def cnn(self, *, functional: bool = False, bias: bool = True) -> Network:
        """The small convolutional network."""
        name = f"small CNN, functional={functional}, bias={bias}"
        return self._once(name, lambda: SmallCNN(functional=functional, bias=bias))

    def linear(self, height: int, width: int) -> Network:
        """Scores ⟨w_c, x⟩ with weights of both signs, in a dense layer."""
        return self._once(f"linear {height} {width}", lambda: _linear(height, width))

    def brightness(self, others: float = -1.0) -> Network:
        """The score of class 0 is ``SLOPE`` times the mean of all pixels, that of class 1 ``others`` times as much.

        All pixels weigh the same, so that whatever constant takes a region's place, removing the brightest region
        lowers the score most: the image itself is the best map.
        """
        return self._once(f"brightness {others}", lambda: _brightness(others))

    def _once(self, name: str, build: Callable[[], nn.Module]) -> Network:
        if name not in self._made:
            with torch.random.fork_rng(devices=[]):  # layers draw their first weights from the global state
                self._made[name] = Network(build(), name=name)
        return self._made[name]


class UntriedNetwork(Network):
    """A network without a graph that is not tried, so that all that goes through its module is what somebody asks."""

    def trial(self, shape: tuple[int, ...], images: Tensor | None = None) -> Trial:
        """A trial that passed without evaluating the module."""
        reason = InputError("it is recorded")
        return Trial(reason, reason, classes=2, gives_logits=True)


def recording(module: nn.Module) -> tuple[Network, list[Tensor]]:
    """A network that does what ``module`` does, and the list that all its inputs (B, C, H, W) are kept in."""
    kept: list[Tensor] = []

    class Recorder(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            kept.append(x.detach().clone().cpu())  # of this list there is one, however often the module is copied
            return x

    return UntriedNetwork(nn.Sequential(Recorder(), module), name="recording"), kept


def noise(count: int, height: int, width: int) -> Tensor:
    """(count, 3, H, W) images of independent values between 0.05 and 0.95."""
    draws = addressed(seed=0, image="noise", purpose="toy images").random((count, 3, height, width), dtype=np.float32)
    return torch.from_numpy(0.05 + 0.9 * draws)


def mosaics(count: int, height: int, width: int, region: int) -> Tensor:
    """(count, 3, H, W) images of squares of different brightness, with a little noise, all between 0.02 and 0.98.

    Few squares are bright. The squares are those of a grid that starts at the top left.
    """
    rows, columns = math.ceil(height / region), math.ceil(width / region)
    generator = addressed(seed=0, image="mosaics", purpose="toy images")
    tiles = generator.random((count, 1, rows, columns), dtype=np.float32) ** 2
    large = np.kron(tiles, np.ones((1, 1, region, region), dtype=np.float32))[:, :, :height, :width]
    jitter = generator.random((count, 3, height, width), dtype=np.float32)
    return torch.from_numpy(0.05 + 0.85 * large + 0.06 * jitter)


def random_maps(count: int, height: int, width: int, *, seed: int) -> Tensor:
    """(count, H, W) maps that know nothing of any image."""
    return _normal(f"maps {seed}", (count, height, width))


def predicted(network: Network, images: Tensor) -> Tensor:
    """(N,) predicted classes, by the module itself: no graph is made for that."""
    with torch.no_grad():
        scores: Tensor = network.module(network.inputs(images))
    return scores.argmax(dim=1).to(images.device)


def size_of(network: Network) -> tuple[int, int]:
    """Height and width of the images that a network reads; 64 where it does not say."""
    size = network.preprocessing.crop or network.preprocessing.resize or 64
    return (size, size) if isinstance(size, int) else size


def side(region: int) -> int:
    """Side of a square image that holds at least four times four regions, and whole ones only."""
    return region * max(4, math.ceil(8 / region))


def _normal(name: str, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(addressed(seed=0, image=name, purpose="toys").standard_normal(shape, dtype=np.float32))


def _linear(height: int, width: int) -> nn.Module:
    layer = nn.Linear(3 * height * width, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(_normal("linear", tuple(layer.weight.shape)))
    return nn.Sequential(nn.Flatten(), layer)


def _brightness(others: float) -> nn.Module:
    """A convolution of one pixel, mean pooling, a dense layer: linear, with a layer for methods that ask for it."""
    convolution, head = nn.Conv2d(3, 2, 1, bias=False), nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        convolution.weight.fill_(1 / 3)
        head.weight.copy_(SLOPE / 2 * torch.tensor([[1.0, 1.0], [others, others]]))
    return nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def _draw(module: nn.Module) -> None:
    """Weights that keep the size of activations, and small biases, by the parameters' names."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            scale = 0.1 if parameter.ndim == 1 else (2 / parameter[0].numel()) ** 0.5
            parameter.copy_(scale * _normal(name, tuple(parameter.shape)))
