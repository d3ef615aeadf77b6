"""What a comparison of replacements found."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from heatproof.heatmaps import Conservation
from heatproof.measures import Estimate, abpc, estimate
from heatproof.perturbation import Curves, Engine
from heatproof.results.cells import CellsResult
from heatproof.results.comparison import ComparisonResult
from heatproof.results.contrasts import Contrast, contrasts
from heatproof.results.work import Work
from heatproof.runs.serialization import scores_frame


@dataclass(frozen=True)
class BothCurves:
    """The curves of one replacement.

    Attributes:
        morf: most relevant regions first.
        lerf: least relevant regions first.
    """

    morf: Curves
    lerf: Curves

    @property
    def engine(self) -> Engine:
        """Which evaluated the perturbed images."""
        return self.morf.engine


@dataclass(frozen=True)
class ReplacementResult(CellsResult):
    """What a comparison of replacements found; ``studies.ReplacementComparison`` says what its attributes are."""

    cells: Mapping[str, ComparisonResult]
    method: str

    @cached_property
    def both(self) -> dict[str, BothCurves]:
        """Curves by replacement."""
        return {spec: BothCurves(cell.morf[self.method], cell.lerf[self.method]) for spec, cell in self.cells.items()}

    @property
    def heatmaps(self) -> Tensor:
        """(N, H, W), or of the pictures that a run keeps."""
        return self.first.heatmaps[self.method]

    @property
    def conservation(self) -> Conservation | None:
        """What became of the score, if the method is LRP."""
        return self.first.conservation.get(self.method)

    @property
    def work(self) -> Work:
        """How much was evaluated, how long it took, and by which engine (of the replacement where it spared most)."""
        engine = max((both.engine for both in self.both.values()), key=lambda engine: engine.nodes_on_windows)
        return Work.of_all([cell.work for cell in self.cells.values()], engine)

    @cached_property
    def areas(self) -> dict[str, np.ndarray]:
        """ABPC of each image (N,), by replacement, the largest mean first; higher is better."""
        found = {spec: abpc(both.morf, both.lerf).double().numpy() for spec, both in self.both.items()}
        return dict(sorted(found.items(), key=lambda item: -float(item[1].mean())))

    @cached_property
    def abpc(self) -> dict[str, Estimate]:
        """Mean ABPC with its 95 % interval over images, by replacement, the largest first; higher is better."""
        return {spec: estimate(values) for spec, values in self.areas.items()}

    @cached_property
    def effects(self) -> dict[str, Contrast]:
        """Mean ABPC by replacement, and whether it is more or less than none."""
        return contrasts(self.areas)

    @cached_property
    def differences(self) -> dict[tuple[str, str], Contrast]:
        """ABPC of one replacement minus that of another on the same images, for each pair, the larger one first."""
        return contrasts({(a, b): self.areas[a] - self.areas[b] for a, b in combinations(self.areas, 2)})

    @cached_property
    def curves(self) -> pl.DataFrame:
        """``frame()``: a row for each replacement, image, order, repeat and step; ``.to_pandas()`` for pandas."""
        return self.frame()

    def about(self) -> dict[str, Any]:
        """What the study is made from beside its cells, as JSON-able values."""
        return {"method": self.method}

    def frame(self) -> pl.DataFrame:
        """Scores of every replacement, image, order, repeat and step."""
        return pl.concat(
            [
                scores_frame({self.method: curves}, self.names).insert_column(0, pl.lit(spec).alias("replacement"))
                for spec, both in self.both.items()
                for curves in (both.morf, both.lerf)
            ]
        )
