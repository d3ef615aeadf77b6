"""The data sets and networks that stand for those of the paper, and how much of each is used."""

from dataclasses import dataclass
from pathlib import Path

import heatproof as hp
from heatproof.data import Pictures, Preprocessing, find_pictures, read_pictures
from heatproof.randomness import addressed

# how the SqueezeNets at hand were trained: squeezed to a square, the centre cut out
SQUEEZENET = Preprocessing(resize=(256, 256), crop=227, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Size:
    """How much is used.

    Attributes:
        images: of each data set, at most.
        repeats: of the random replacement.
        seeds: of training runs.
    """

    images: int
    repeats: int
    seeds: int


SIZES = {
    "small": Size(images=48, repeats=1, seeds=1),
    "paper": Size(images=5040, repeats=10, seeds=3),
}


@dataclass(frozen=True)
class Source:
    """A data set with a network for it.

    Attributes:
        name: the paper's name of the data set.
        images: folder of pictures, in the shared folder.
        network: its architecture.
        weights: their file, in the shared folder.
        stands_for: what the paper used.
    """

    name: str
    images: str
    network: str
    weights: str
    stands_for: str

    def missing(self, shared: Path) -> str | None:
        """What is not there, if anything."""
        absent = [part for part in (f"data/{self.images}", f"weights/{self.weights}") if not (shared / part).exists()]
        return f"{self.name}: {' and '.join(absent)} not found in {shared}" if absent else None

    def load_network(self, shared: Path) -> hp.Network:
        """The network with its weights."""
        return hp.load_network(self.network, weights=shared / "weights" / self.weights, preprocessing=SQUEEZENET)

    def read(self, shared: Path, count: int) -> Pictures:
        """A seeded sample of the pictures."""
        files = find_pictures([shared / "data" / self.images])
        chosen = addressed(seed=0, image=self.name, purpose="sample").permutation(len(files))[:count]
        return read_pictures([files[index] for index in sorted(chosen)], SQUEEZENET)


SOURCES = (
    Source(
        "ILSVRC2012", "ilsvrc2012-sample", "torchvision:squeezenet1_0", "squeezenet1_0_imagenet.safetensors",
        "ILSVRC2012 validation, CaffeNet",
    ),
    Source(
        "SUN397", "sun397-sample", "torchvision:squeezenet1_1", "squeezenet1_1_sun27.safetensors",
        "SUN397 (categories of Places), Places-CNN",
    ),
    Source(
        "MIT Places", "miniplaces-val", "torchvision:squeezenet1_1", "squeezenet1_1_miniplaces100.safetensors",
        "MIT Places test, Places-CNN",
    ),
)  # fmt: skip
