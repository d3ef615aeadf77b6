"""The networks and data sets at hand, as ``survey.toml`` names them, and how much of each is used."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import heatproof as hp
from heatproof.cli.surveying import asked_of
from heatproof.data import Pictures, read_pictures
from heatproof.errors import InputError

if TYPE_CHECKING:
    from reproduce.results import Result

SURVEY = Path(__file__).parent / "survey.toml"


class Tables(NamedTuple):
    """Pictures to train with, and lossless ones to test with."""

    train: Path
    test: Path

    @property
    def missing(self) -> str | None:
        """Which are not there, if any."""
        absent = [table.name for table in self if not table.exists()]
        return f"CIFAR-10: {' and '.join(absent)} not found in {self.train.parent}" if absent else None


SHARED = Path(__file__).parents[2] / "shared/data/cifar10"
CIFAR10 = Tables(SHARED / "train-jpeg.parquet", SHARED / "test1000-lossless.parquet")


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
    "small": Size(images=16, repeats=1, seeds=1),
    "paper": Size(images=5040, repeats=10, seeds=3),
}


@dataclass(frozen=True)
class AtHand:
    """A network with pictures for it.

    Attributes:
        name: of the network and the data set.
        key: the same, for names of files.
        network: it.
        pictures: a seeded sample.
    """

    name: str
    key: str
    network: hp.Network
    pictures: Pictures


def at_hand(size: Size, result: "Result", survey: Path = SURVEY) -> Iterator[AtHand]:
    """Each network on each of its data sets; those that cannot be opened are named in the result."""
    asked = {cell[:2]: given for cell, given, _, _ in asked_of(survey)}
    for (network, data), given in asked.items():
        name = f"{network} on {data}"
        try:
            opened = given.load_network()
            pictures = read_pictures(replace(given, count=size.images).dataset(seed=0), opened.preprocessing)
        except InputError as error:
            result.text.append(f"{name}: {error}")
            continue
        yield AtHand(f"{name} ({len(pictures.names)} images)", f"{network}-{data}", opened, pictures)
