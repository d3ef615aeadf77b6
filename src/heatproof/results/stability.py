"""What was found about the stability of heatmaps."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from heatproof.results.changing import ChangingResult

KINDS = {"noise": "noise", "shift": "shifts"}  # of disturbances, with the word for several
MEASURES = ("change", "correlation")


@dataclass(frozen=True)
class StabilityResult(ChangingResult):
    """How stable the heatmaps of several methods are; ``studies.Stability`` says what its attributes are."""

    @cached_property
    def values(self) -> dict[str, dict[str, np.ndarray]]:
        """(N,) by quantity and method: change and correlation under noise and under shifts, means over what counts.

        NaN where a heatmap is all zero, and where no disturbed image counts.
        """
        return {
            f"{measure} under {words}": {
                name: np.where((found[f"{kind} counted"] > 0) & ~self.without_relevance[name], found[key], np.nan)
                for name, found in self.found.found.measured.items()
            }
            for measure in MEASURES
            for kind, words in KINDS.items()
            for key in [f"{kind} {measure}"]
        }

    @cached_property
    def counted(self) -> dict[str, np.ndarray]:
        """(N,) how many of the disturbed images of each image count, by kind of disturbance."""
        return {kind: self._of_images(f"{kind} counted") for kind in KINDS}

    @cached_property
    def score_changes(self) -> dict[str, np.ndarray]:
        """(N,) by which share of itself the target's logit changed where it counts, by kind; NaN where none counts."""
        return {kind: np.where(self.counted[kind] > 0, self._of_images(f"{kind} score"), np.nan) for kind in KINDS}

    @property
    def made(self) -> int:
        """How many disturbed images of each kind were made."""
        return int(self.options["draws"]) * len(self.names)

    @property
    def left_out(self) -> dict[str, int]:
        """How many of them do not count, by kind."""
        return {kind: self.made - int(counted.sum()) for kind, counted in self.counted.items()}

    def higher_is_better(self, quantity: str) -> bool:
        """Whether higher values are more stable."""
        return quantity.startswith("correlation")

    def frame(self) -> pl.DataFrame:
        """One row per image and method.

        Columns: ``image``, ``method``, and for each kind of disturbance ``noise_counted`` (how many of the disturbed
        images count), ``noise_score_change``, ``noise_change`` and ``noise_correlation``; null where there is none.
        """
        frames = []
        for name in self.methods:
            columns: dict[str, Any] = {"image": list(self.names), "method": [name] * len(self.names)}
            for kind, words in KINDS.items():
                columns |= {
                    f"{kind}_counted": self.counted[kind].astype(np.int64),
                    f"{kind}_score_change": self.score_changes[kind],
                } | {f"{kind}_{measure}": self.values[f"{measure} under {words}"][name] for measure in MEASURES}
            frames.append(pl.DataFrame(columns))
        return pl.concat(frames).fill_nan(None)

    def _of_images(self, key: str) -> np.ndarray:
        """(N,) what is the same for all methods."""
        return self.found.found.measured[self.methods[0]][key]
