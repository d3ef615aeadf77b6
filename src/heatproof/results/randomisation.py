"""What was found of heatmaps while the weights of the network were shuffled, layer by layer."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from heatproof.results.changing import RELEVANCE, ChangingResult

CORRELATION = "correlation"


@dataclass(frozen=True)
class RandomisationResult(ChangingResult):
    """How heatmaps follow the weights; ``studies.Randomisation`` says what its attributes are."""

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """(K) steps of the cascade: ``3 of 26: features.12.squeeze``, how many layers, and the last one by name."""
        return tuple(name for name in next(iter(self.found.found.measured.values())) if name != RELEVANCE)

    @cached_property
    def shares(self) -> np.ndarray:
        """(K+1,) share of the layers that are shuffled at each step, from 0."""
        parts = [step.partition(":")[0].split(" of ") for step in self.steps]
        return np.array([0.0, *(int(layers) / int(count) for layers, count in parts)])

    @cached_property
    def curves(self) -> dict[str, np.ndarray]:
        """(N, K+1) rank correlation of |relevance| with the untouched network's, by method; 1 before the first step.

        NaN for a heatmap that is all zero.
        """
        found = {}
        for name, measured in self.found.found.measured.items():
            values = np.stack([np.ones(len(self.names)), *(measured[step] for step in self.steps)], axis=1)
            values[self.without_relevance[name]] = np.nan
            found[name] = values
        return found

    @cached_property
    def values(self) -> dict[str, dict[str, np.ndarray]]:
        """(N,) mean correlation over the steps, without the untouched network, by method; lower follows the weights."""
        return {CORRELATION: {name: curves[:, 1:].mean(axis=1) for name, curves in self.curves.items()}}

    def higher_is_better(self, quantity: str) -> bool:
        """No: a heatmap that stays does not follow the weights."""
        return False

    def frame(self) -> pl.DataFrame:
        """One row per image, method and step; columns image, method, step, shuffled (the layers), correlation."""
        labels, count = ["none", *self.steps], len(self.names)
        frames = [
            pl.DataFrame(
                {
                    "image": np.repeat(self.names, len(labels)),
                    "method": [name] * (count * len(labels)),
                    "step": np.tile(np.arange(len(labels)), count),
                    "shuffled": labels * count,
                    "correlation": curves.ravel(),
                }
            )
            for name, curves in self.curves.items()
        ]
        return pl.concat(frames).fill_nan(None)
