"""All measures of curves: what each one is called, its unit, its direction, its source, and what it needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from heatproof.measures.aopc import abpc, aopc, naopc, relative_drop
from heatproof.measures.areas import deletion_auc, insertion_auc, lrg, mrg, srg
from heatproof.measures.calibration import calibration, single_region
from heatproof.measures.pic import pic
from heatproof.measures.scores import ABOVE_ZERO, ALL_REGIONS, ALL_STEPS, Requirement
from heatproof.perturbation.bounds import OrderBounds
from heatproof.perturbation.curves import Curves

OF_THE_SCORE = "that of the score"
NO_UNIT = "none"


@dataclass(frozen=True)
class MeasureInputs:
    """What measures of one method are computed from; all but the first may be missing.

    Attributes:
        morf: curves with the most relevant regions removed first.
        lerf: the least relevant first.
        random: in random order.
        relevance: (R,) for each image, the heatmap summed over each region (``relevance_of_regions``).
        drops: (repeats, R) for each image, of single regions (``single_region_drops``; it evaluates the network).
        bounds: over all orders (``order_bounds``; it evaluates the network).
        sizes: (N, 1 or repeats, L + 1) of the compressed images of ``lerf`` (``compressed_sizes``).
    """

    morf: Curves
    lerf: Curves | None = None
    random: Curves | None = None
    relevance: Sequence[np.ndarray] | Tensor | None = None
    drops: Sequence[np.ndarray] | None = None
    bounds: OrderBounds | None = None
    sizes: Tensor | None = None


@dataclass(frozen=True)
class Measure:
    """A measure of curves.

    Attributes:
        function: gets what it needs, in that order, and returns (N,).
        unit: of its values.
        higher_is_better: its direction.
        source: where it comes from, as in the first line of the function's docstring.
        needs: names of the attributes of ``MeasureInputs``.
        requirements: what the curves among them must fulfil.
    """

    function: Callable[..., Tensor]
    unit: str
    higher_is_better: bool
    source: str
    needs: tuple[str, ...]
    requirements: tuple[Requirement, ...] = ()

    def missing(self, inputs: MeasureInputs) -> str | None:
        """Why it cannot be computed from these inputs; none where it can."""
        absent = [name for name in self.needs if getattr(inputs, name) is None]
        if absent:
            return f"needs {', '.join(absent)}"
        curves = [one for one in self._arguments(inputs) if isinstance(one, Curves)]
        failed = [one for one in self.requirements if not all(map(one.holds, curves))]
        return f"needs {failed[0].text}: {failed[0].remedy}" if failed else None

    def __call__(self, inputs: MeasureInputs) -> np.ndarray:
        """(N,) values, in float64."""
        values: np.ndarray = self.function(*self._arguments(inputs)).double().cpu().numpy()
        return values

    def describe(self) -> str:
        """What it is, in one line."""
        first = (self.function.__doc__ or "").strip().splitlines()[0]
        direction = "Higher" if self.higher_is_better else "Lower"
        needs = [*self.needs, *(one.text for one in self.requirements)]
        return f"{first} Unit: {self.unit}. {direction} is better. Needs {', '.join(needs)}."

    def _arguments(self, inputs: MeasureInputs) -> list[Any]:
        return [getattr(inputs, name) for name in self.needs]


MEASURES: dict[str, Measure] = {
    "aopc": Measure(aopc, OF_THE_SCORE, True, "Samek2017", ("morf",)),
    "abpc": Measure(abpc, OF_THE_SCORE, True, "Samek2017", ("morf", "lerf")),
    "relative-drop": Measure(relative_drop, NO_UNIT, True, "Samek2017", ("morf",), (ABOVE_ZERO,)),
    "srg": Measure(srg, OF_THE_SCORE, True, "Bluecher2024", ("morf", "lerf"), (ALL_REGIONS,)),
    "mrg": Measure(mrg, OF_THE_SCORE, True, "Bluecher2024", ("morf", "random"), (ALL_REGIONS,)),
    "lrg": Measure(lrg, OF_THE_SCORE, True, "Bluecher2024", ("lerf", "random"), (ALL_REGIONS,)),
    "deletion-auc": Measure(deletion_auc, OF_THE_SCORE, False, "Petsiuk2018", ("morf",), (ALL_REGIONS,)),
    "insertion-auc": Measure(insertion_auc, OF_THE_SCORE, True, "Petsiuk2018", ("lerf",), (ALL_REGIONS,)),
    "calibration": Measure(calibration, NO_UNIT, True, "Gomez2022", ("morf", "relevance"), (ALL_STEPS,)),
    "single-region": Measure(single_region, NO_UNIT, True, "Hesse2024", ("drops", "relevance")),
    "pic": Measure(pic, OF_THE_SCORE, True, "Kapishnikov2019", ("lerf", "sizes"), (ALL_REGIONS,)),
    "naopc": Measure(naopc, NO_UNIT, True, "Edin2025", ("morf", "bounds")),
}


def measure_all(inputs: MeasureInputs) -> dict[str, np.ndarray]:
    """(N,) of every measure that these inputs allow, by name; ``Measure.missing`` says why others are left out.

    >>> import torch
    >>> from heatproof.network import Network
    >>> from heatproof.perturbation import perturb
    >>> network = Network(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 18 * 18, 2)))
    >>> images = torch.rand(2, 3, 18, 18)
    >>> curves = [perturb(network, images, images.sum(dim=1), order=order, score="probability", repeats=1)
    ...     for order in ("morf", "lerf")]
    >>> list(measure_all(MeasureInputs(*curves)))[:4]
    ['aopc', 'abpc', 'relative-drop', 'srg']
    """
    return {name: measure(inputs) for name, measure in MEASURES.items() if measure.missing(inputs) is None}
