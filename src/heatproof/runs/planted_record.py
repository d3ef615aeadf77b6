"""``planted.json``: what was planted into pictures, and where; settled before the first shard of a run."""

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from heatproof.runs.objects import LARGEST_RECORD, MissingError, Store
from heatproof.runs.records import MOST_MEMBERS, Count, Pair, Position, Positive, StoredRecord, Text

PLANTED = "planted.json"

Finite = Annotated[float, Field(allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Place(StoredRecord):
    """A rectangle of a picture that holds the evidence for a class.

    Attributes:
        picture: number of the picture.
        number: place of its photograph in the data set.
        image: name of the photograph.
        target: index of the class.
        box: first row and column, and the ends of both.
        probability: what the network gives to the class on the whole picture.
        seen: whether that is enough, so that heatmaps of the class are measured.
    """

    picture: Position
    number: Position
    image: Text
    target: Count
    box: Annotated[tuple[Count, Count, Count, Count], Strict(False)]
    probability: Probability
    seen: bool


class Patch(StoredRecord):
    """The patch that a network was made to depend on, by a linear head.

    Attributes:
        seed: of its texture.
        reads: what the head reads: what the last dense layer read, or the scores.
        weight: of each value that the head reads.
        bias: that it adds.
        accuracy: share of held-out pictures, with and without the patch, that the head classifies correctly.
        fitted_on: number of photographs that the head was fitted on.
    """

    seed: Seed
    reads: Literal["features", "scores"]
    weight: Annotated[tuple[Finite, ...], Strict(False), Field(min_length=1, max_length=1_000_000)]
    bias: Finite
    accuracy: Probability
    fitted_on: Count


class Planted(StoredRecord):
    """What was planted into pictures.

    Attributes:
        channels: of a picture.
        height: of a picture.
        width: of a picture.
        places: of all pictures, in their order; a mosaic has several.
        photographs: names of all photographs that can be used.
        skipped: names of those that cannot be used, each with the reason.
        patch: that was pasted into each photograph; none where photographs are the tiles of mosaics.
    """

    channels: Positive
    height: Positive
    width: Positive
    places: Annotated[tuple[Place, ...], Strict(False), Field(min_length=1, max_length=MOST_MEMBERS)]
    photographs: Annotated[tuple[Text, ...], Strict(False), Field(max_length=MOST_MEMBERS)]
    skipped: Annotated[tuple[Pair, ...], Strict(False), Field(max_length=MOST_MEMBERS)] = ()
    patch: Patch | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for place in self.places:
            top, left, bottom, right = place.box
            if not (top < bottom <= self.height and left < right <= self.width):
                raise ValueError(f"must hold boxes inside pictures of {self.height} × {self.width}")
        if not self.explained:
            raise ValueError("must hold a place that is seen")
        if len({place.image for place in self.explained}) < len(self.explained):
            raise ValueError("must hold each photograph once")
        return self

    @cached_property
    def explained(self) -> tuple[Place, ...]:
        """Places whose class the network sees: the items of the study, in order."""
        return tuple(place for place in self.places if place.seen)

    def chance(self, place: Place) -> float:
        """A place's share of the pixels, which a constant heatmap gets."""
        top, left, bottom, right = place.box
        return (bottom - top) * (right - left) / (self.height * self.width)


def keep_planted(planted: Planted, store: Store) -> None:
    """Writes what was planted, unless it stands there."""
    if not store.exists(PLANTED):
        store.put(PLANTED, planted.model_dump_json(indent=1).encode())


def stored_planted(store: Store) -> Planted | None:
    """What was planted for a run; none where nothing was.

    Raises:
        InputError: for a file that does not hold it.
    """
    try:
        return Planted.read(store.get(PLANTED, at_most=LARGEST_RECORD), f"{PLANTED} of {store}")
    except MissingError:
        return None
