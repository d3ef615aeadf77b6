"""The result of comparing replacements: tables, figures, a page, and a run directory."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from matplotlib.figure import Figure
from torch import Tensor

from heatproof.heatmaps import Conservation
from heatproof.measures import Estimate, abpc, aopc, estimate
from heatproof.perturbation import Curves, Engine
from heatproof.perturbation.replacing import with_removed
from heatproof.report import Panel, Table, areas_figure, pictures_figure
from heatproof.report.page import Page
from heatproof.runs.schema import SCHEMA
from heatproof.runs.serialization import environment, scores_frame
from heatproof.studies.bands import counted_steps, score_band
from heatproof.studies.cells import OfCells
from heatproof.studies.comparison import Comparison
from heatproof.studies.contrast import Contrast, contrasts, contrasts_table
from heatproof.studies.pages import replacements_page
from heatproof.studies.shown import as_colours
from heatproof.studies.study import depends_on
from heatproof.studies.verdict import caution, decided, listed, told_apart
from heatproof.studies.work import Work

EXAMPLES = 4


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
class ReplacementComparison(OfCells):
    """What a comparison of replacements found.

    Attributes:
        cells: one comparison for each replacement.
        method: name of the heatmaps' method.
    """

    code = "study = hp.compare_replacements(…)"

    cells: Mapping[str, Comparison]
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
    def curves(self) -> pl.DataFrame:
        """``frame()``: a row for each replacement, image, order, repeat and step; ``.to_pandas()`` for pandas."""
        return self.frame()

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

    @property
    def verdict(self) -> list[str]:
        """The answer in plain words, one sentence after the other."""
        best, *_ = self.abpc
        if len(self.names) < 2:
            return [
                f"On this one image {best} leaves the largest area between the curves ({self.abpc[best].mean:.3g}); "
                "one image says nothing about others: give more for a verdict."
            ]
        unclear = [spec for spec, effect in self.effects.items() if not effect.separate]
        negative = [spec for spec, effect in self.effects.items() if effect.below]
        said = [
            f"The area between the curves is largest with {best}: ABPC {self.abpc[best]}.",
            told_apart(list(self.abpc), self.differences, "replacements"),
            self._harmless(),
            f"The order is not shown to matter with {listed(unclear)}." if unclear else "",
            f"MoRF falls less than LeRF with {listed(negative)}." if negative else "",
            f"ABPC of {self.method}: higher is better. {decided(len(self.names))}",
            caution(len(self.names), max(len(self.effects), len(self.differences))),
        ]
        return [sentence for sentence in said if sentence]

    def _harmless(self) -> str:
        """Where removing what is least relevant moves the score least, and where most (off the manifold)."""
        if len(self.both) < 2:
            return ""
        falls = {spec: _mean_aopc(both.lerf) for spec, both in self.both.items()}
        least, most = (choose(falls, key=lambda spec: abs(falls[spec])) for choose in (min, max))
        return (
            f"Removing what is least relevant should cost nothing: AOPC LeRF is nearest to 0 with {least} "
            f"({falls[least]:.3g}), and farthest with {most} ({falls[most]:.3g})."
        )

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before trusting the numbers."""
        found = [*self.notes, *(self.conservation.warnings(self.method) if self.conservation else [])]
        return [*found, *self.left_out()]

    def table(self) -> Table:
        """ABPC of each replacement with its interval, and the AOPC of both curves, the largest ABPC first."""
        rows = tuple(
            (spec, value.mean, value.low, value.high, _mean_aopc(both.morf), _mean_aopc(both.lerf))
            for spec, value, both in ((spec, value, self.both[spec]) for spec, value in self.abpc.items())
        )
        steps = counted_steps(next(iter(self.both.values())).morf)
        note = (
            f"ABPC of {self.method} over {steps} in units of the {self.protocol.score}, mean over "
            f"{len(self.names)} images and repeats ({self.protocol.repeats}), with 95 % intervals; higher is better. "
            "It is the AOPC of MoRF (higher is better) minus that of LeRF (lower is better)."
        )
        return Table(("replacement", "ABPC", "low", "high", "AOPC MoRF", "AOPC LeRF"), rows, (note,))

    def differences_table(self) -> Table:
        """Paired differences of ABPC between replacements, with intervals and corrected p-values."""
        return contrasts_table(self.differences, ("larger", "smaller"))

    def frame(self) -> pl.DataFrame:
        """Scores of every replacement, image, order, repeat and step."""
        return pl.concat(
            [
                scores_frame({self.method: curves}, self.names).insert_column(0, pl.lit(spec).alias("replacement"))
                for spec, both in self.both.items()
                for curves in (both.morf, both.lerf)
            ]
        )

    def figures(self) -> dict[str, Figure]:
        """The figures, by file name."""
        return {"areas": self.areas_figure(), "examples": self.examples_figure()}

    def main_figure(self) -> Figure:
        """``areas_figure``."""
        return self.areas_figure()

    def areas_figure(self) -> Figure:
        """MoRF and LeRF curves of each replacement with the area between them, as in Figure 8 of [Samek2017]."""
        panels = [
            Panel(
                spec,
                f"ABPC {value}",
                score_band("LeRF", self.both[spec].lerf),
                score_band("MoRF", self.both[spec].morf),
            )
            for spec, value in self.abpc.items()
        ]
        title = f"Score while regions are removed, by what they become ({self.method})"
        return areas_figure(panels, title=title, ylabel=f"score ({self.protocol.score})")

    def examples_figure(self) -> Figure:
        """The first images after all steps, most relevant regions first, with each replacement."""
        few = self.first.shown.first(EXAMPLES)
        numbers, regions = list(few.numbers), few.regions(self.protocol)
        pictures = {"image": few.images}
        for spec in self.abpc:
            morf = self.both[spec].morf
            removed = torch.stack(
                [torch.isin(one, order) for one, order in zip(regions, morf.orders[numbers, 0], strict=True)]
            )
            identities = [morf.images[number] for number in numbers]
            pictures[spec] = with_removed(few.images, removed, morf.protocol, identities)
        captions = [f"{Path(self.names[number]).name}\n{self.classes[number]}" for number in numbers]
        arrays = {name: as_colours(shown) for name, shown in pictures.items()}
        return pictures_figure(arrays, captions, title=f"The {self.steps} most relevant regions removed")

    def describe(self) -> dict[str, Any]:
        """Everything about the run but its arrays, as JSON-able values."""
        described = {spec: both.morf.protocol.describe() for spec, both in self.both.items()}
        shared = self.protocol.describe() | {"steps": self.steps}
        del shared["replacement"], shared["statistics"]
        return {
            "schema": SCHEMA,
            "study": "replacements",
            "network": dict(self.first.network),
            "protocol": shared,
            "method": self.method,
            "replacements": {
                spec: {"statistics": described[spec]["statistics"], "engine": str(both.engine)}
                for spec, both in self.both.items()
            },
            **self.described_images(),
            "verdict": self.verdict,
            "warnings": self.warnings,
            "conservation": self.conservation.summary() if self.conservation else None,
            "work": self.work.describe(),
            **environment(),
        }

    def about(self) -> dict[str, Any]:
        """The method."""
        return {"method": self.method}

    def _page(self, figures: Mapping[str, Figure]) -> Page:
        return replacements_page(self, figures)

    def _depends_on(self) -> str:
        return depends_on(self.protocol.seed, len(self.names), self.first.network)


def _mean_aopc(curves: Curves) -> float:
    return float(aopc(curves).double().mean())
