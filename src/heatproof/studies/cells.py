"""A study that makes several comparisons of the same images, its cells: one for each replacement, or checkpoint."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from heatproof.errors import InputError
from heatproof.perturbation import Protocol
from heatproof.runs.objects import Store
from heatproof.studies.comparison import Comparison
from heatproof.studies.study import Study
from heatproof.studies.task import notes_on


class OfCells(Study):
    """A study that is made of several comparisons of one method on the same images, its cells.

    Attributes:
        cells: comparisons of one method, by name.
        method: name of the heatmaps' method.
    """

    cells: Mapping[str, Comparison]
    method: str

    @cached_property
    def first(self) -> Comparison:
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

    def described_images(self) -> dict[str, Any]:
        """Which images there are, as JSON-able values."""
        return {
            "cells": list(self.cells),
            "images": dict(zip(self.names, self.first.identities, strict=True)),
            "skipped": [{"image": name, "reason": reason} for name, reason in self.skipped],
            "complete": not self.skipped and not self.set_aside,
        }

    @property
    def steps(self) -> int:
        """L."""
        return self.first.morf[self.method].steps

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Names of pictures that could not be used, each with the reason."""
        return self.first.skipped

    @property
    def notes(self) -> tuple[str, ...]:
        """What else a reader must know."""
        protocols = [cell.protocol for cell in self.cells.values()]
        alone = {note for protocol in protocols for note in notes_on(protocol)}
        found = dict.fromkeys(note for cell in self.cells.values() for note in cell.notes if note not in alone)
        return (*found, *notes_on(*protocols))

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """What the study is made from beside its cells, as JSON-able values."""

    def write(self, store: Store, *, reproduce: str = "") -> None:
        """Writes it as a run, each cell as one below it, as the command does."""
        from heatproof.studies.road.cell_runs import save_cells  # which knows what a study of cells is

        save_cells(self, store, reproduce=reproduce)

    @property
    def set_aside(self) -> tuple[str, ...]:
        """Errors of shards that could not be computed."""
        return tuple(error for cell in self.cells.values() for error in cell.set_aside)
