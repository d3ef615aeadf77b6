"""Mosaics of photographs of different classes: which photographs lie in which tile, and what the network still sees."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from heatproof.data.source import Source
from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.network.inputs import as_targets, check_classes
from heatproof.options.planted import PlantedOptions
from heatproof.randomness import addressed
from heatproof.runs.planted_record import Place, Planted
from heatproof.studies.planting.source import AT_ONCE, Box, drawn_pictures
from heatproof.studies.planting.survey import Survey, surveyed
from heatproof.wording import counted


def plant_mosaics(
    network: Network, source: Source, options: PlantedOptions, *, memory: int, targets: Tensor | int | None = None
) -> Planted:
    """Draws mosaics, and asks the network which classes it still sees in them.

    Args:
        network: the classifier.
        source: of the photographs.
        options: of the mosaics.
        memory: bytes that activations may take.
        targets: (N,) classes of the photographs; by default the predicted ones.

    Raises:
        InputError: if there are too few classes for one mosaic, if the network does not take images of their size, or
            if it sees no class in them.
    """
    survey = surveyed(source, lambda images, identities: network.predict(images, memory=memory).cpu())
    channels, *sides = survey.shape
    height, width = (side * options.enlarge for side in sides)
    classes = survey.answers if targets is None else _given(targets, survey, network)
    groups = drawn_mosaics(survey.identities, classes.tolist(), grid=options.grid, seed=options.seed)
    _check_size(network, (channels, height, width), options)
    places = [
        survey.place(number, picture=picture, target=int(classes[number]), box=box)
        for picture, group in enumerate(groups)
        for number, box in zip(group.tolist(), tile_boxes(height, width, options.grid), strict=True)
    ]
    seen = _looked_at(network, source, survey.planted(places, (height, width)), options.seen, memory)
    if not any(place.seen for place in seen):
        raise InputError(
            f"the network sees no class in its mosaics: all probabilities are {options.seen:g} or less, the largest is "
            f"{max(place.probability for place in seen):.3g}; give more photographs, or a smaller seen"
        )
    return survey.planted(seen, (height, width))


def drawn_mosaics(identities: Sequence[str], classes: Sequence[int], *, grid: int, seed: int) -> np.ndarray:
    """(M, T) numbers of the photographs in the T = grid² tiles of each mosaic, tiles row by row.

    The classes of a mosaic differ. Each photograph is in one mosaic at most. To make as many as there can be, each
    takes one photograph of the classes that have most left. Photographs and tiles are drawn at random, at addresses of
    the photographs, so that the order in which they are given changes nothing.

    Raises:
        InputError: if there are too few classes for one mosaic.

    >>> drawn_mosaics(["a", "b", "c", "d", "e"], [0, 1, 2, 3, 3], grid=2, seed=0).shape
    (1, 4)
    """
    tiles = grid**2
    draws = [addressed(seed=seed, image=identity, purpose="mosaics").random() for identity in identities]
    left: dict[int, list[int]] = {}
    for number in sorted(range(len(draws)), key=draws.__getitem__):
        left.setdefault(classes[number], []).append(number)
    mosaics = []
    while len(left) >= tiles:
        largest = sorted(left, key=lambda one: (-len(left[one]), draws[left[one][-1]]))[:tiles]
        group = sorted((left[one].pop() for one in largest), key=draws.__getitem__)
        address = " ".join(identities[number] for number in group)
        mosaics.append(addressed(seed=seed, image=address, purpose="tiles").permutation(group))
        left = {one: numbers for one, numbers in left.items() if numbers}
    if not mosaics:
        raise InputError(
            f"a mosaic of {grid} × {grid} needs photographs of {tiles} classes, got {counted(len(draws), 'photograph')}"
            f" of {len(left)}; give photographs of more classes" + (", or grid=2" if grid > 2 else "")
        )
    return np.stack(mosaics)


def tile_boxes(height: int, width: int, grid: int) -> list[Box]:
    """First row and column, and the ends of both, of each tile, row by row; sides differ by a pixel at most.

    >>> tile_boxes(2, 3, 2)
    [(0, 0, 1, 1), (0, 1, 1, 3), (1, 0, 2, 1), (1, 1, 2, 3)]
    """
    if grid > min(height, width):
        raise InputError(f"images must have at least {grid} pixels on each side, got {height} × {width}")
    rows, columns = ([number * side // grid for number in range(grid + 1)] for side in (height, width))
    return [(top, left, bottom, right) for top, bottom in pairwise(rows) for left, right in pairwise(columns)]


def _given(targets: Tensor | int, survey: Survey, network: Network) -> Tensor:
    found = as_targets(targets, len(survey.numbers)).cpu()
    check_classes(found, network.trial(survey.shape).classes)
    return found


def _check_size(network: Network, shape: tuple[int, int, int], options: PlantedOptions) -> None:
    """Tries mosaics that are larger than the images that the network was made for."""
    try:
        network.trial(shape)
    except InputError as error:
        raise InputError(
            f"the network does not take mosaics of {shape[1]} × {shape[2]} pixels (enlarge={options.enlarge}); give "
            f"enlarge=1: {error}"
        ) from error


def _looked_at(network: Network, source: Source, drawn: Planted, seen: float, memory: int) -> list[Place]:
    """The places, with the probability of each class on its whole mosaic."""
    pictures = list(dict.fromkeys(place.picture for place in drawn.places))
    probabilities: dict[int, Tensor] = {}
    for start in range(0, len(pictures), AT_ONCE):
        found, _ = drawn_pictures(drawn, source, pictures[start : start + AT_ONCE])
        images = torch.stack(list(found.values()))
        size = network.batch_size(tuple(images.shape[1:]), memory)
        logits = torch.cat([network.logits(batch).double().cpu() for batch in images.split(size)])
        probabilities |= dict(zip(found, logits.softmax(dim=1), strict=True))
    values = [float(probabilities[place.picture][place.target]) for place in drawn.places]
    return [
        place.model_copy(update={"probability": min(value, 1.0), "seen": value > seen})
        for place, value in zip(drawn.places, values, strict=True)
    ]
