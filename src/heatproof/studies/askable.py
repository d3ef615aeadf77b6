"""Pictures whose target cannot be asked against a class, as it is that class."""

from dataclasses import replace

from torch import Tensor

from heatproof.data import Pictures
from heatproof.network.against import SECOND, Against, against_itself
from heatproof.network.network import Network


def askable(
    network: Network, pictures: Pictures, against: Against | None, *, memory: int, targets: Tensor | None = None
) -> Pictures:
    """The pictures, of which those are skipped whose target is the class that it would be asked against.

    Args:
        network: the classifier.
        pictures: that could be read.
        against: a class, or nothing.
        memory: bytes that activations may take.
        targets: (N,) class indices; by default the predicted classes.
    """
    if against in (None, SECOND) or not len(pictures.images):
        return pictures
    asked = network.classes_asked(pictures.images, targets, against, memory=memory)
    same = set(against_itself(asked))
    if not same:
        return pictures
    kept = [number for number in range(len(pictures.images)) if number not in same]
    reasons = tuple(
        (
            pictures.names[number],
            f"its target is {network.class_name(int(asked[number, 0]))}, which it is asked against",
        )
        for number in sorted(same)
    )
    return replace(
        pictures,
        images=pictures.images[kept],
        names=tuple(pictures.names[number] for number in kept),
        skipped=(*pictures.skipped, *reasons),
        labels=None if pictures.labels is None else pictures.labels[kept],
        numbers=tuple(pictures.numbers[number] for number in kept) if pictures.numbers else (),
    )
