"""Networks for tests: small, with random weights and batch-norm statistics that are not the identity."""

import torch
from torch import nn


def randomised(module, seed=0):
    """The module in float64 and evaluation, every parameter and statistic away from its default."""
    generator = torch.Generator().manual_seed(seed)

    def between(tensor, low, high):
        tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator, dtype=torch.float64))

    module.double().eval()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim == 1:
                between(parameter, -0.1, 0.1)
            elif "layer_scale" in name:  # ConvNeXt starts its blocks at 1e-6, where no error would be seen
                between(parameter, 0.2, 0.5)
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                between(part.weight, 0.5, 1.5)
                between(part.running_mean, -0.2, 0.2)
                between(part.running_var, 0.5, 1.5)
            elif isinstance(part, nn.LayerNorm | nn.GroupNorm):
                between(part.weight, 0.5, 1.5)
    return module


def narrowed(module):
    """AlexNet or VGG with 64 instead of 4096 units in the dense layers, and 10 classes: 1 % of the memory."""
    sizes = [64, 64, 10]
    previous = None
    for index, part in enumerate(module.classifier):
        if isinstance(part, nn.Linear):
            width = sizes.pop(0)
            module.classifier[index] = nn.Linear(previous or part.in_features, width)
            previous = width
    return module


class ReluCNN(nn.Module):
    """Convolutions, batch norm, ReLU, max and mean pooling, a residual block, two dense layers."""

    def __init__(self, activation=nn.ReLU, channels=3, classes=5):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 8, 3, padding=1)
        self.act1 = activation()
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.act2 = activation()
        self.mean = nn.AdaptiveAvgPool2d(3)
        self.dense = nn.Linear(72, 16)
        self.act3 = activation()
        self.head = nn.Linear(16, classes)

    def forward(self, x):
        x = self.pool(self.act1(self.conv1(x)))
        x = self.act2(self.norm(self.conv2(x)) + x)
        return self.head(self.act3(self.dense(self.mean(x).flatten(1))))


class Forward(nn.Module):
    """A few layers and a forward function of a test's own; images are (B, 3, 12, 12), classes are 5."""

    def __init__(self, forward):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.other = nn.Conv2d(4, 4, 1)
        self.norm1 = nn.BatchNorm2d(4)
        self.norm2 = nn.BatchNorm2d(4)
        self.drop = nn.Dropout()
        self.relu = nn.ReLU()
        self.gelu = nn.GELU()
        self.head = nn.Linear(4, 5)
        self.dense = nn.Linear(400, 5)
        self._forward = forward

    def forward(self, x):
        return self._forward(self, x)

    def scores(self, maps):
        return self.head(maps.mean((2, 3)))
