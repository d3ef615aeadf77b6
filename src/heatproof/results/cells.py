"""A study that makes several comparisons of the same images, its cells: one for each replacement, or checkpoint."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from heatproof.errors import InputError
from heatproof.perturbation import Protocol
from heatproof.results.comparison import ComparisonResult


class CellsResult(ABC):
    """What several comparisons of one method on the same images found, the cells of a study.

    Attributes:
        cells: comparisons of one method, by name.
        method: name of the heatmaps' method.
    """

    cells: Mapping[str, ComparisonResult]
    method: str

    @cached_property
    def first(self) -> ComparisonResult:
        """The first cell: its images are those of all."""
        first, *others = self.cells.values()
        if any(other.names != first.names or other.identities != first.identities for other in others):
            raise InputError("not all parts of the study have the same images: some could not be read meanwhile")
        return first

    @property
    def names(self) -> tuple[str, ...]:
        """(N) names of the images."""
        return self.first.names

    @property
    def classes(self) -> tuple[str, ...]:
        """(N) names of the target classes, in the first cell."""
        return self.first.classes

    @property
    def protocol(self) -> Protocol:
        """How regions were removed and scored in the first cell."""
        return self.first.protocol

    @property
    def steps(self) -> int:
        """L."""
        return self.first.morf[self.method].steps

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Names of pictures that could not be used, each with the reason."""
        return self.first.skipped

    @property
    def set_aside(self) -> tuple[str, ...]:
        """Errors of shards that could not be computed."""
        return tuple(error for cell in self.cells.values() for error in cell.set_aside)

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """What the study is made from beside its cells, as JSON-able values."""
