"""What was found about the complexity of heatmaps: tables, figures, a page, and a run directory."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from heatproof.measures import Estimate, estimate
from heatproof.measures.complexity import encoders
from heatproof.report import Table, boxes_figure, gallery_figure, scatter_figure
from heatproof.report.page import Page
from heatproof.runs.objects import Store
from heatproof.runs.schema import SCHEMA
from heatproof.runs.serialization import environment
from heatproof.studies.comparison import Comparison
from heatproof.studies.complexities import QUANTITIES
from heatproof.studies.contrast import Contrast, contrasts, contrasts_table
from heatproof.studies.pages import complexity_page
from heatproof.studies.study import Study, depends_on

GALLERY_IMAGES = 6


@dataclass(frozen=True)
class Simplicity(Study):
    """How complex the heatmaps of several methods are.

    Attributes:
        found: of which nothing was removed: what was measured of each image's heatmaps.
    """

    code = "study = hp.complexity(…)"

    found: Comparison

    @property
    def network(self) -> Mapping[str, Any]:
        """Description of the network, with a hash of its weights."""
        return self.found.network

    @property
    def names(self) -> tuple[str, ...]:
        """(N) names of the images."""
        return self.found.names

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Names of pictures that could not be used, each with the reason."""
        return self.found.skipped

    @property
    def set_aside(self) -> tuple[str, ...]:
        """Errors of shards that could not be computed."""
        return self.found.set_aside

    @property
    def work(self) -> None:
        """Nothing is removed."""
        return None

    @cached_property
    def heatmaps(self) -> dict[str, np.ndarray]:
        """(n, H, W) of the first images, by method."""
        return {name: maps.numpy() for name, maps in self.found.shown.heatmaps.items()}

    @cached_property
    def values(self) -> dict[str, dict[str, np.ndarray]]:
        """(N,) by quantity (PNG and JPEG in KB, entropy in bits: lower is simpler; Gini: higher is) and method."""
        measured = self.found.found.measured
        return {quantity: {name: found[quantity] for name, found in measured.items()} for quantity in QUANTITIES}

    @cached_property
    def estimates(self) -> dict[str, dict[str, Estimate]]:
        """Means over images with 95 % intervals, by quantity and method."""
        return {
            quantity: {name: estimate(values) for name, values in methods.items()}
            for quantity, methods in self.values.items()
        }

    def ordered(self, quantity: str) -> list[str]:
        """Methods, the simplest first."""
        sign = -1 if QUANTITIES[quantity].higher_is_simpler else 1
        means = self.estimates[quantity]
        return sorted(means, key=lambda name: sign * means[name].mean)

    @property
    def verdict(self) -> list[str]:
        """The answer in plain words, one sentence for each quantity."""
        sentences = [self._sentence(quantity) for quantity in QUANTITIES]
        return [*sentences, "A simple heatmap is easier to read; whether it is right is another question (compare)."]

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before trusting the numbers."""
        found = [*self.found.notes]
        for name, values in self.values["entropy"].items():
            empty = int((values == 0).sum())
            if empty:
                found.append(
                    f"{empty} of {len(values)} heatmaps of {name} are one colour, which is simple and says nothing"
                )
        return [*found, *self.left_out()]

    def table(self) -> Table:
        """Means of each method, smallest PNG files first, as Table I of the paper."""
        rows: list[tuple[str | float, ...]] = [
            (name, *[self.estimates[quantity][name].mean for quantity in QUANTITIES]) for name in self.ordered("PNG")
        ]
        note = (
            f"Means over {len(self.names)} images. File sizes in KB (1000 bytes) of the heatmap's picture as PNG and "
            "as JPEG of quality 90, entropy of its grey levels in bits: lower is simpler. Gini coefficient of "
            "|relevance|: higher is simpler."
        )
        return Table(("method", "PNG (KB)", "JPEG (KB)", "entropy (bits)", "Gini"), tuple(rows), (note,))

    def intervals_table(self) -> Table:
        """Means with 95 % intervals, simplest first."""
        rows = [
            (quantity + QUANTITIES[quantity].unit.replace(" ", ", "), name, value.mean, value.low, value.high)
            for quantity in QUANTITIES
            for name in self.ordered(quantity)
            for value in [self.estimates[quantity][name]]
        ]
        return Table(("quantity", "method", "mean", "low", "high"), tuple(rows))

    @cached_property
    def differences(self) -> dict[tuple[str, str, str], Contrast]:
        """By how much a method is simpler than another on the same images, by quantity, simpler and other method.

        The pairs of a quantity are a family.
        """
        found: dict[tuple[str, str, str], Contrast] = {}
        for quantity, values in self.values.items():
            sign = -1 if QUANTITIES[quantity].higher_is_simpler else 1
            pairs = combinations(self.ordered(quantity), 2)
            found |= contrasts({(quantity, a, b): sign * (values[b] - values[a]) for a, b in pairs})
        return found

    def differences_table(self) -> Table:
        """Paired differences between methods, with intervals and corrected p-values."""
        return contrasts_table(self.differences, ("quantity", "simpler", "other"))

    def frame(self) -> pl.DataFrame:
        """One row per image and method; columns image, method, png_kb, jpeg_kb, entropy_bits, gini."""
        methods = list(self.heatmaps)
        return pl.DataFrame(
            {"image": [name for _ in methods for name in self.names], "method": np.repeat(methods, len(self.names))}
            | {
                quantity.column: np.concatenate([self.values[key][name] for name in methods])
                for key, quantity in QUANTITIES.items()
            }
        )

    def _frames(self) -> dict[str, pl.DataFrame]:
        return {"scores": self.frame()}

    @property
    def sizes(self) -> dict[str, np.ndarray]:
        """(N, 2) kilobytes as PNG and as JPEG, by method."""
        values = self.values
        return {name: np.stack([values["PNG"][name], values["JPEG"][name]], axis=1) for name in self.heatmaps}

    @property
    def colours(self) -> np.ndarray:
        """(n, H, W, 3) the first images in [0, 1]."""
        return self.found.shown.colours

    def main_figure(self) -> Figure:
        """File sizes of the heatmaps, PNG and JPEG, by method; lower is simpler."""
        return scatter_figure(
            self.sizes, title="File sizes of heatmaps", xlabel="PNG (KB)", ylabel="JPEG, quality 90 (KB)"
        )

    def figures(self) -> dict[str, Figure]:
        """The figures, by file name; the first two are those of the paper's Figure 5."""
        return {
            "sizes": self.main_figure(),
            "entropy": boxes_figure(self.values["entropy"], title="Entropy of heatmaps", xlabel="entropy (bits)"),
            "gallery": self._gallery(),
        }

    def describe(self) -> dict[str, Any]:
        """Everything about the run but its arrays, as JSON-able values."""
        return {
            "schema": SCHEMA,
            "study": "complexity",
            "network": dict(self.network),
            "methods": list(self.heatmaps),
            "images": list(self.names),
            "skipped": [{"image": name, "reason": reason} for name, reason in self.skipped],
            "complete": not self.skipped and not self.set_aside,
            "verdict": self.verdict,
            "warnings": self.warnings,
            "encoders": encoders(),
            **environment(),
        }

    def _sentence(self, quantity: str) -> str:
        what, unit = QUANTITIES[quantity].sentence, QUANTITIES[quantity].unit
        methods, means = self.ordered(quantity), self.estimates[quantity]
        first, last = methods[0], methods[-1]
        if len(methods) == 1:
            return f"{what} of {first}: {means[first]}{unit}."
        said = (
            f"{what}: {first} is simplest ({means[first].mean:.3g}{unit}), "
            f"{last} most complex ({means[last].mean:.3g}{unit})"
        )
        gap = self.differences[quantity, first, methods[1]]
        apart = "is ahead of" if gap.above else "cannot be told from"
        return f"{said}; {first} {apart} {methods[1]} on the same images ({gap.estimate}{unit})."

    def _gallery(self) -> Figure:
        captions = [
            f"{Path(name).name}\nPNG KB: {', '.join(f'{values[i]:.0f}' for values in self.values['PNG'].values())}"
            for i, name in enumerate(self.names[:GALLERY_IMAGES])
        ]
        return gallery_figure(self.colours, self.heatmaps, captions)

    def write(self, store: Store, *, reproduce: str = "") -> None:
        """Writes it as a run, as the command does."""
        from heatproof.studies.road.saving import save_complexity  # which knows what a study is

        save_complexity(self, store, reproduce=reproduce)

    def _page(self, figures: Mapping[str, Figure]) -> Page:
        return complexity_page(self, figures)

    def _depends_on(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in encoders()["versions"].items())
        return f"{depends_on(0, len(self.names), self.network)}. File sizes: {versions}"
