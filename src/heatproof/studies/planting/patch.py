"""A patch that a network is made to depend on: a linear head is fitted on features with and without it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from heatproof.data.source import Source
from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.network.heads import features, head_reads, with_head
from heatproof.options.planted import PlantedOptions
from heatproof.randomness import addressed
from heatproof.runs.planted_record import Patch, Planted
from heatproof.studies.planting.mosaics import tile_boxes
from heatproof.studies.planting.source import Box, pasted
from heatproof.studies.planting.survey import surveyed

FEWEST = 8  # photographs: half of them fit the head
SPLIT = 5  # a picture has 5 × 5 places for the patch, each as likely, so that every pixel is
RIDGE = 0.1  # of the mean squared length of a feature vector
ACCURATE = 0.8  # at least, or what heatmaps should find is not known; below 0.9 a report warns
CLASSES = ("without the patch", "with the patch")


def plant_patch(network: Network, source: Source, options: PlantedOptions, *, memory: int) -> Planted:
    """Fits a head that says whether a picture has the patch, on half of the photographs, for the other half.

    Raises:
        InputError: if there are too few photographs, or the head does not tell held-out pictures apart.
    """
    survey = surveyed(source, lambda images, identities: _both(network, images, identities, options.seed, memory))
    if len(survey.names) < FEWEST:
        raise InputError(
            f"a head for the patch needs {FEWEST} photographs or more, half of them to fit it; got {len(survey.names)}"
        )
    answers = survey.answers.double().cpu().numpy()  # (N, 2, F), without and with the patch
    draws = [addressed(seed=options.seed, image=one, purpose="held out").random() for one in survey.identities]
    order = sorted(range(len(draws)), key=draws.__getitem__)
    fitting, held = sorted(order[: len(order) // 2]), sorted(order[len(order) // 2 :])
    head = Head.fitted(answers[fitting])
    accuracy = float(np.mean((head.scores(answers[held]) > 0) == [False, True]))
    if accuracy < ACCURATE:
        raise InputError(
            f"the network hardly sees the patch: a head that was fitted on {len(fitting)} photographs is right for "
            f"{accuracy:.0%} of the held-out pictures with and without it, and must be for {ACCURATE:.0%}; give more "
            "photographs, another seed, or mosaics"
        )
    patch = Patch.model_validate(
        {
            "seed": options.seed,
            "reads": head_reads(network, survey.shape),
            "weight": tuple(head.weight.tolist()),
            "bias": head.bias,
            "accuracy": accuracy,
            "fitted_on": len(fitting),
        }
    )
    size = survey.shape[1:]
    probabilities = 1 / (1 + np.exp(-2 * head.scores(answers[held])[:, 1]))
    places = [
        survey.place(number, picture=picture, target=1, box=patch_box(survey.identities[number], size, options.seed))
        for picture, number in enumerate(held)
    ]
    seen = [
        place.model_copy(update={"probability": float(value), "seen": bool(value > options.seen)})
        for place, value in zip(places, probabilities, strict=True)
    ]
    return survey.planted(seen, size, patch)


def patch_box(identity: str, size: tuple[int, int], seed: int) -> Box:
    """Where the patch lies in an image: one of 5 × 5 places, drawn at the image's address."""
    boxes = tile_boxes(*size, SPLIT)
    return boxes[int(addressed(seed=seed, image=identity, purpose="place of the patch").integers(len(boxes)))]


def with_patch_head(network: Network, shape: tuple[int, int, int], patch: Patch) -> Network:
    """The network with the patch's head: its classes are pictures without and with the patch."""
    return with_head(network, shape, torch.tensor(patch.weight, dtype=torch.float64), patch.bias, CLASSES)


@dataclass(frozen=True)
class Head:
    """A linear score of features, above zero for pictures with the patch."""

    weight: np.ndarray
    bias: float

    @classmethod
    def fitted(cls, answers: np.ndarray) -> "Head":
        r"""Ridge regression of −1 (without the patch) and 1 (with it) on features (N, 2, F), in closed form.

        .. math:: w = \tilde X^T (\tilde X \tilde X^T + \lambda I)^{-1} y, \quad b = -w \cdot \bar x

        with centred features and :math:`\lambda` in proportion to their mean squared length.
        """
        rows = answers.reshape(-1, answers.shape[-1])
        mean = rows.mean(axis=0)
        centred = rows - mean
        products = centred @ centred.T
        penalty = RIDGE * np.trace(products) / len(rows)
        wanted = np.tile([-1.0, 1.0], len(answers))
        weight = centred.T @ np.linalg.solve(products + max(penalty, np.finfo(float).tiny) * np.eye(len(rows)), wanted)
        return cls(weight, float(-weight @ mean))

    def scores(self, answers: np.ndarray) -> np.ndarray:
        """Scores (…) of features (…, F)."""
        found: np.ndarray = answers @ self.weight + self.bias
        return found


def _both(network: Network, images: Tensor, identities: Sequence[str], seed: int, memory: int) -> Tensor:
    """(B, 2, F) features of images without and with the patch."""
    size = tuple(images.shape[2:])
    pairs = zip(images, identities, strict=True)
    patched = torch.stack([pasted(image, patch_box(one, (size[0], size[1]), seed), seed) for image, one in pairs])
    at_once = network.batch_size(tuple(images.shape[1:]), memory)
    network.check(images)
    found = [
        torch.cat([features(network, batch).cpu() for batch in which.split(at_once)]) for which in (images, patched)
    ]
    return torch.stack(found, dim=1)
