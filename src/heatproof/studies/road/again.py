"""Some images of a study are read again: for its audit, and for what another precision changed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from heatproof.data.pictures import Pictures
from heatproof.data.source import Source
from heatproof.measures.effects import effect_size
from heatproof.network import Network
from heatproof.results.audit import Audit
from heatproof.results.headline import paired
from heatproof.results.part import REFERENCE
from heatproof.results.rounding import Rounding
from heatproof.studies.audit import FITTED_ON, audited, extent
from heatproof.studies.comparison import Comparison
from heatproof.studies.racing import at_random
from heatproof.studies.road.driver import Assignment
from heatproof.studies.rounding import IMAGES, rounding_of
from heatproof.studies.watching import Progress


@dataclass(frozen=True)
class Again:
    """A joined study of which some images are read again, drawn at random of those that all methods explained.

    Attributes:
        assignment: what was to be done.
        network: that of the study.
        source: of its images.
        study: without audit.
        positions: in the assignment, of the images that gave something.
        progress: is told what is done.
    """

    assignment: Assignment
    network: Network
    source: Source
    study: Comparison
    positions: Sequence[int]
    progress: Progress

    def audit(self) -> Audit | None:
        """The audit, if any image is worth it."""
        wanted, found, sink = self.assignment.wanted, self.study.found, self.assignment.sink
        drawn, ranked = self._drawn(), [*self.study.methods, REFERENCE]
        one = self.assignment.task(self.network, self._read(drawn[:1])[1]).among(ranked)
        asked = extent(one, wanted.audit, self.study.work.evaluations, self._effects(), len(drawn))
        if not asked.images:
            return None
        chosen, pictures = self._read(drawn[: asked.images])
        task = self.assignment.task(self.network, pictures).among(ranked)
        constant = replace(task.protocol, replacement="constant")
        fitted_on = pictures if constant.statistics else self._read(sorted(drawn[:FITTED_ON]))[1]
        few = replace(task, protocol=replace(task.protocol, statistics=constant.fitted(fitted_on.images).statistics))
        every = sink.heatmaps([self.positions[number] for number in chosen])
        maps = {name: every[name] for name in few.names}
        names = [found.names[number] for number in chosen]
        return audited(few, maps, found.asked[chosen], names, self.progress, asked)

    def rounding(self) -> Rounding:
        """What another precision than float32 changed."""
        chosen, pictures = self._read(self._drawn()[:IMAGES])
        return rounding_of(self.assignment.task(self.network, pictures), self.study, chosen, self.progress)

    def _drawn(self) -> list[int]:
        """Numbers of the images that all methods explained, in a random order."""
        identities = min((curves.images for curves in self.study.found.curves.values()), key=len)
        return at_random(identities, seed=self.assignment.protocol.seed)

    def _read(self, numbers: Sequence[int]) -> tuple[list[int], Pictures]:
        """Images of the study that can still be read, by number, and the pictures."""
        places = {self.assignment.order[self.positions[number]]: number for number in numbers}
        pictures = self.source.read(list(places))
        return [places[place] for place in pictures.numbers], pictures

    def _effects(self) -> dict[tuple[str, str], float]:
        """How many standard deviations of the images methods are apart, for pairs that differ significantly."""
        values = self.study.values
        return {
            (first, second): abs(effect_size(paired(values[first], values[second])))
            for (first, second), difference in self.study.ranking.differences.items()
            if difference.significant
        }
