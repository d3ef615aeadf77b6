"""Random convolutional networks, and images that change in windows, step by step."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import nn

from heatproof.network.caffe.modules import WithinChannelNorm
from heatproof.network.incremental import DirtyRegions, IncrementalState, Tail

CLASSES = 5


# --- layers that torch has no module for; their names and numbers show in the network of a failure


class Pad(nn.Module):
    def __init__(self, amounts, value):
        super().__init__()
        self.amounts, self.value = amounts, value

    def forward(self, x):
        return F.pad(x, self.amounts, value=self.value)

    def extra_repr(self):
        return f"{self.amounts}, value={self.value}"


class Residual(nn.Module):
    """Adds up its parts, which read the same value."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x):
        first, *others = (part(x) for part in self.parts)
        for other in others:
            first = first + other
        return first


class Branches(nn.Module):
    """Puts what its parts compute side by side."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x):
        return torch.cat([part(x) for part in self.parts], dim=1)


class Growing(nn.Module):
    """Each part reads all before it, side by side, as in a DenseNet."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x):
        found = [x]
        for part in self.parts:
            found.append(part(torch.cat(found, dim=1)))
        return torch.cat(found, dim=1)


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels):
        super().__init__()
        self.dense = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.dense(F.adaptive_avg_pool2d(x, 1)))


class Halves(nn.Module):
    """One half of the channels goes through a part, the other past it, as in a ShuffleNet."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        one, other = x.chunk(2, dim=1)
        return torch.cat([one, self.part(other)], dim=1)


class Chosen(nn.Module):
    """Some of the channels."""

    def __init__(self, first, last):
        super().__init__()
        self.first, self.last = first, last

    def forward(self, x):
        return x[:, self.first : self.last]

    def extra_repr(self):
        return f"{self.first}:{self.last}"


class Constant(nn.Module):
    """Times, plus, minus or divided by a constant."""

    def __init__(self, kind, constant):
        super().__init__()
        self.kind = kind
        self.register_buffer("constant", constant)

    def forward(self, x):
        if self.kind == "plus":
            return x + self.constant
        if self.kind == "minus":
            return x - self.constant
        return x * self.constant if self.kind == "times" else x / self.constant

    def extra_repr(self):
        return f"{self.kind} a constant of shape {tuple(self.constant.shape)}"


class Negative(nn.Module):
    """Below zero everywhere, so that a padded maximum differs from one over zeros."""

    def forward(self, x):
        return F.relu6(x) - 7.0


# --- strategies: a layer for maps of this shape (C, H, W)


def odd(draw):
    return draw(st.sampled_from([1, 3, 5]))


def same_size(draw, channels, out):
    """A convolution that keeps the size of the map."""
    kernel, dilation = odd(draw), draw(st.sampled_from([1, 1, 2]))
    groups = draw(st.sampled_from([g for g in (1, 2, channels) if channels % g == 0 and out % g == 0]))
    return nn.Conv2d(channels, out, kernel, padding=kernel // 2 * dilation, dilation=dilation, groups=groups)


def part(draw, channels, out):
    """What stands in a branch: a convolution that keeps the size, and what may follow it."""
    return nn.Sequential(
        same_size(draw, channels, out), *([nn.BatchNorm2d(out)] if draw(st.booleans()) else []), activation(draw)
    )


def activation(draw, *_):
    kinds = [nn.ReLU(), nn.ReLU6(), nn.SiLU(), nn.Sigmoid(), nn.LeakyReLU(0.1), nn.Identity(), nn.Hardswish()]
    return draw(st.sampled_from(kinds))


def spread(draw, kernel, size):
    """A dilation with which the kernel still fits into the map."""
    return tuple(draw(st.integers(1, 2)) if 2 * k <= length else 1 for k, length in zip(kernel, size, strict=True))


def convolution(draw, channels, *size):
    kernel = [draw(st.sampled_from([k for k in (1, 2, 3, 5, 7) if k <= length])) for length in size]
    out = draw(st.sampled_from([2, 4, 6]))
    return nn.Conv2d(
        channels,
        out,
        kernel,
        stride=[draw(st.integers(1, 3)) for _ in size],
        padding=[draw(st.integers(0, 3)) for _ in size],
        dilation=spread(draw, kernel, size),
        groups=draw(st.sampled_from([g for g in (1, 2, channels) if channels % g == 0 and out % g == 0])),
        bias=draw(st.booleans()),
    )


def pool(draw, channels, *size):
    kernel = [draw(st.integers(1, min(4, length))) for length in size]
    given = {
        "kernel_size": tuple(kernel),
        "stride": draw(st.none() | st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel),
        "ceil_mode": draw(st.booleans()),
    }
    if draw(st.booleans()):
        return nn.MaxPool2d(**given, dilation=spread(draw, kernel, size))
    return nn.AvgPool2d(
        **given,
        count_include_pad=draw(st.booleans()),
        divisor_override=draw(st.sampled_from([None, None, 3])),
    )


def pad(draw, *_):
    amounts = tuple(draw(st.integers(0, 3)) for _ in range(draw(st.sampled_from([2, 4]))))
    return Pad(amounts, draw(st.sampled_from([0.0, 0.0, 1.5, -2.0])))


def residual(draw, channels, *_):
    if draw(st.booleans()):
        return Residual(nn.Identity(), part(draw, channels, channels))
    kernel = odd(draw)
    down = nn.Conv2d(channels, 4, kernel, stride=2, padding=kernel // 2)
    return Residual(nn.Sequential(down, nn.ReLU(), part(draw, 4, 4)), nn.Conv2d(channels, 4, 1, stride=2))


def branches(draw, channels, *_):
    pools = [nn.MaxPool2d(3, 1, padding=1), nn.AvgPool2d(3, 1, padding=1, count_include_pad=draw(st.booleans()))]
    found = [part(draw, channels, 2) for _ in range(draw(st.integers(1, 2)))]
    found.append(nn.Sequential(draw(st.sampled_from(pools)), nn.Conv2d(channels, 2, 1)))
    together = Branches(*draw(st.permutations(found)))
    return nn.Sequential(Negative(), together) if draw(st.booleans()) else together


def growing(draw, channels, *_):
    steps = range(draw(st.integers(1, 3)))
    return Growing(*[nn.Sequential(activation(draw), same_size(draw, channels + 2 * step, 2)) for step in steps])


def channels_only(draw, channels, *_):
    kinds = ["chosen", *(["shuffled", "halves"] if channels % 2 == 0 else [])]
    kind = draw(st.sampled_from(kinds))
    if kind == "shuffled":
        return nn.ChannelShuffle(2)
    if kind == "halves":
        return Halves(part(draw, channels // 2, channels // 2))
    first = draw(st.integers(0, channels - 1))
    return Chosen(first, draw(st.integers(first + 1, channels)))


def constant(draw, channels, height, width):
    shapes = [(), (1,), (channels, 1, 1), (1, channels, 1, 1), (height, width), (1, 1, height, width), (height, 1)]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 9)))
    values = 0.5 + torch.rand(draw(st.sampled_from(shapes)), generator=generator)
    return Constant(draw(st.sampled_from(["plus", "minus", "times", "divided"])), values)


def response(draw, *_):
    """A local response norm, across channels or over squares of positions."""
    if draw(st.booleans()):
        return nn.LocalResponseNorm(draw(st.integers(1, 5)), alpha=draw(st.sampled_from([0.5, 3.0])), k=1.5)
    return WithinChannelNorm(odd(draw), 2.0, 0.75)


LAYERS = {
    "convolution": convolution,
    "norm": lambda draw, channels, *_: nn.BatchNorm2d(channels),
    "activation": activation,
    "pool": pool,
    "response": response,
    "pad": pad,
    "residual": residual,
    "branches": branches,
    "growing": growing,
    "gate": lambda draw, channels, *_: Gate(channels),
    "channels": channels_only,
    "constant": constant,
}


# --- networks


@dataclass(frozen=True)
class Case:
    """A network, the shape of its images, and the size of the regions that change."""

    module: nn.Module
    shape: tuple[int, int, int]
    region: int


@st.composite
def cases(draw, most=6):
    """Random small networks in float64, with weights that let values neither vanish nor grow."""
    shape = (draw(st.sampled_from([3, 1])), draw(st.integers(9, 40)), draw(st.integers(9, 40)))
    kinds = draw(st.lists(st.sampled_from(sorted(LAYERS)), min_size=3, max_size=most))
    first = convolution(draw, *shape)
    layers, size = [first], shape_behind(first, shape)
    for kind in kinds:
        layer = LAYERS[kind](draw, *size)
        if size[0] > 16:
            layers.append(nn.Conv2d(size[0], 4, 1))
            size = (4, *size[1:])
            continue
        layers.append(layer)
        size = shape_behind(layer, size)
    if draw(st.booleans()):
        bins = draw(st.sampled_from([1, 1, 2, 3]))
        layers.append(nn.AdaptiveAvgPool2d(bins) if draw(st.booleans()) else nn.AdaptiveMaxPool2d(bins))
        size = shape_behind(layers[-1], size)
    elif size[1] * size[2] > 200:
        layers.append(nn.AvgPool2d(4, ceil_mode=True))
        size = shape_behind(layers[-1], size)
    layers += [nn.Flatten(), nn.Linear(size[0] * size[1] * size[2], CLASSES)]
    module = balanced(nn.Sequential(*layers), shape, seed=draw(st.integers(0, 99)))
    return Case(module, shape, draw(st.integers(1, 9)))


def shape_behind(layer, shape):
    with torch.no_grad():
        return tuple(layer.double().eval()(torch.zeros(1, *shape, dtype=torch.float64)).shape[1:])


def balanced(module, shape, seed=0):
    """The module in float64 and evaluation: random weights, batch-norm statistics measured on noise, then shaken."""
    generator = torch.Generator().manual_seed(seed)
    normal = {"generator": generator, "dtype": torch.float64}
    module.double().train()
    with torch.no_grad():
        for one in module.modules():
            if isinstance(one, nn.Conv2d | nn.Linear):
                one.weight.copy_(torch.randn(one.weight.shape, **normal) * (1.5 / one.weight[0].numel()) ** 0.5)
                if one.bias is not None:
                    one.bias.copy_(0.3 * torch.randn(one.bias.shape, **normal))
            elif isinstance(one, nn.BatchNorm2d):
                one.momentum = 1.0
                one.weight.copy_(0.7 + 0.6 * torch.rand(one.weight.shape, **normal))
                one.bias.copy_(0.3 * torch.randn(one.bias.shape, **normal))
        module(torch.randn(4, *shape, **normal))
    return module.eval()


# --- changes of images


def rectangles(shape, size, generator, random=8):
    """Rectangles of an image of ``shape`` (H, W), not larger than ``size``: corners, edges, centre, random places."""
    height, width = shape
    tall, wide = min(size, height), min(size, width)
    rows, columns = (0, (height - tall) // 2, height - tall), (0, (width - wide) // 2, width - wide)
    first = [(row, column) for row in (rows[0], rows[2], rows[1]) for column in (columns[0], columns[2], columns[1])]
    last = [(row + tall - 1, column + wide - 1) for row, column in first]
    for _ in range(random):  # some of them smaller than the window around them
        places = [_some(length, most, generator) for length, most in ((height, tall), (width, wide))]
        first.append(tuple(place[0] for place in places))
        last.append(tuple(place[1] for place in places))
    return DirtyRegions(torch.tensor(first).T, torch.tensor(last).T, shape)


def _some(length, most, generator):
    size = _integer(most, generator) + 1
    start = _integer(length - size + 1, generator)
    return start, start + size - 1


def _integer(below, generator):
    return int(torch.randint(below, (), generator=generator))


class Followed:
    """S images that change at random, and what a plan makes of them, step after step.

    Args:
        plan: what is evaluated on windows.
        images: (n, C, H, W) before any change.
        sequences: S; each begins with one of the images, in turn.
        windows: T, how many regions change at once.
        batch_size: of the tail, so that it is not always evaluated after one step.
        seed: of the changes.
    """

    def __init__(self, plan, images, *, sequences=3, windows=1, batch_size=1, seed=0):
        self.plan, self.windows = plan, windows
        self.generator = torch.Generator().manual_seed(seed)
        owners = torch.arange(sequences) % len(images)
        self.current = images[owners].clone()
        self.trajectories = IncrementalState(plan, images, owners, batch_size=2)
        self.tail = Tail(self.trajectories, batch_size)
        self.dirty = plan.dirty[plan.graph.input]
        self.taken = 0

    def step(self):
        """Changes the images and lets the plan follow; what crosses to its tail now waits there."""
        count, number = len(self.current), self.dirty.first.shape[1]
        regions = torch.randint(number, (count, self.windows), generator=self.generator)
        regions[:, 0] = (self.taken + torch.arange(count)) % number  # all corners come, one after the other
        self.taken += 1
        for sequence, chosen in enumerate(regions.tolist()):
            for region in chosen:
                self._scramble(sequence, region)
        self.tail.put(self.trajectories.change(regions, self.pixels(regions)))

    def _scramble(self, sequence, region):
        top, left = self.dirty.first[:, region].tolist()
        bottom, right = (self.dirty.last[:, region] + 1).tolist()
        part = self.current[sequence, :, top:bottom, left:right]
        part.copy_(torch.rand(part.shape, generator=self.generator, dtype=torch.float64) * 3 - 1)

    def pixels(self, regions):
        """(S · T, C, h, w) windows around regions (S, T) of the images as they are now."""
        height, width = self.dirty.size
        return torch.stack(
            [
                self.current[sequence, :, top : top + height, left : left + width]
                for sequence, chosen in enumerate(regions)
                for top, left in self.dirty.starts[:, chosen].T.tolist()
            ]
        )

    def outputs(self, steps, checked=None):
        """After each of so many steps (or those ``checked``, from 1): the output of plan and graph, (S, classes)."""
        expected, found = [], []
        with torch.inference_mode():
            for number in range(1, steps + 1):
                self.step()
                if checked is not None and number not in checked:
                    self.tail.filled = 0
                    continue
                expected.append(self.plan.graph.evaluate(self.current.clone()))
                if self.tail.full or number == steps or checked is not None:
                    found.append(self.tail.finish())
        return torch.cat(found), torch.cat(expected)
