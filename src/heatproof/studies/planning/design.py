"""How few images, repeats and scored steps are enough: the cheapest for an interval, or the best for a budget."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import ceil, sqrt
from typing import Any

import scipy

from heatproof.errors import InputError
from heatproof.measures.components import Components, numbers_of_steps
from heatproof.measures.intervals import CONFIDENCE
from heatproof.report import Table, counted, duration
from heatproof.results.part import REFERENCE
from heatproof.results.ranking import FEW_IMAGES
from heatproof.studies.planning.costs import Costs, Design
from heatproof.studies.planning.goal import Goal
from heatproof.studies.planning.pilot import Pilot

PAPER_REPEATS = 10  # [Samek2017]
SLACK = 1.01  # a budget is not spent on the last hundredth of precision


@dataclass(frozen=True)
class Proposal:
    """A design, its expected precision, and the pilot that it follows from.

    The precision is that of the method whose AOPC above the random order has the widest interval.

    Attributes:
        design: images, repeats and scored steps.
        goal: what was asked for.
        available: how many images were given.
        pilot: from which the variances are known.
        costs: of this and other designs.
        score: whose unit all of it is in.
    """

    design: Design
    goal: Goal
    available: int
    pilot: Pilot
    costs: Costs
    score: str

    @property
    def paper(self) -> Design:
        """The paper's design on as many images: all steps and ten repeats [Samek2017]."""
        return Design(self.design.images, PAPER_REPEATS, self.pilot.steps)

    @property
    def missing(self) -> int:
        """How many more images it needs than were given."""
        return max(0, self.design.images - self.available)

    def standard_error(self, design: Design) -> float:
        """Expected of the AOPC above the random order, of the method where it is largest; lower is better."""
        return sqrt(worst_variance(self.pilot, design.repeats, design.scored) / design.images)

    def half_width(self, design: Design) -> float:
        """Half the width of its 95 % interval; lower is better."""
        return half_width(worst_variance(self.pilot, design.repeats, design.scored), design.images)

    def table(self) -> Table:
        """Where the uncertainty of each difference comes from, and how large it will be with this design."""
        rows = [
            self._row(name if self.pilot.symmetric else f"{name} − random", found)
            for name, found in self.pilot.above_random.items()
        ]
        if self.pilot.between:
            (one, other), found = max(self.pilot.between.items(), key=lambda pair: self._variance(pair[1]))
            rows.append(self._row(f"{one} − {other}", found))
        columns = (
            "ABPC" if self.pilot.symmetric else "AOPC",
            "mean",
            "images",
            "repeats",
            "steps",
            "ties",
            "std. error",
            "± 95 %",
        )
        note = (
            f"In units of the {self.score}. Standard deviations between images, between repeats, and between draws of "
            f"{self.design.scored} of {self.pilot.steps} steps; ties are a part of what images differ by. The "
            f"standard error, and half the 95 % interval, with {counted(self.design.images, 'image')} and "
            f"{counted(self.design.repeats, 'repeat')}."
        )
        return Table(columns, tuple(rows), (*([self._last_row_note()] if self.pilot.between else []), note))

    def designs_table(self) -> Table:
        """This design beside the paper's, on the same images."""
        rows = tuple(
            (
                name, design.images, design.repeats, f"{design.scored} of {self.pilot.steps}",
                f"{self.costs.evaluations(design):,}", duration(self.costs.seconds(design)),
                self.standard_error(design), self.half_width(design),
            )
            for name, design in (("planned", self.design), ("the paper's", self.paper))
        )  # fmt: skip
        columns = ("design", "images", "repeats", "scored steps", "evaluations", "time", "std. error", "± 95 %")
        return Table(columns, rows)

    @property
    def sentences(self) -> list[str]:
        """The answer in plain words."""
        design, paper = self.design, self.paper
        fewer = self.costs.evaluations(paper) / self.costs.evaluations(design)
        errors = self.standard_error(design), self.standard_error(paper)
        more = f"{100 * (errors[0] / errors[1] - 1):.2g} % more" if errors[1] else "as little"
        found = [
            f"For {self.goal}: {counted(design.images, 'image')}, {counted(design.repeats, 'repeat')}, "
            f"{design.scored} of {self.pilot.steps} steps scored. Every method's {self._what} is then "
            f"expected within ± {self.half_width(design):.3g} ({self.score}).",
            f"{fewer:.3g} times fewer evaluations than the paper's {PAPER_REPEATS} repeats and all steps on the same "
            f"images, for {more} standard error.",
        ]
        if self.missing:
            found.append(
                f"That is {counted(self.missing, 'image')} more than the {self.available} given; with these, "
                f"{PAPER_REPEATS} repeats of all steps would reach "
                f"± {self.half_width(Design(self.available, PAPER_REPEATS, self.pilot.steps)):.3g}."
            )
        return [*found, self._about_the_pilot()]

    def describe(self) -> dict[str, Any]:
        """The proposal as JSON-able values."""
        return {
            "goal": str(self.goal),
            "available": self.available,
            "pilot": {
                "images": self.pilot.images,
                "evaluations": self.pilot.evaluations,
                "seconds": self.pilot.seconds,
            },
            "designs": {
                name: asdict(design)
                | {
                    "evaluations": self.costs.evaluations(design),
                    "seconds": self.costs.seconds(design),
                    "standard_error": self.standard_error(design),
                    "half_width": self.half_width(design),
                }
                for name, design in (("planned", self.design), ("paper", self.paper))
            },
            "variances": {name: asdict(found) for name, found in self.pilot.alone.items()},
            "variances_above_random": {name: asdict(found) for name, found in self.pilot.above_random.items()},
            "variances_between": {f"{a} − {b}": asdict(found) for (a, b), found in self.pilot.between.items()},
        }

    def __str__(self) -> str:
        return "\n\n".join([str(self.table()), str(self.designs_table()), "\n".join(self.sentences)])

    @property
    def _what(self) -> str:
        return "ABPC" if self.pilot.symmetric else "AOPC above the random order"

    def _row(self, name: str, found: Components) -> tuple[str | float, ...]:
        design = self.design
        error = found.standard_error(design.images, design.repeats, design.scored)
        half = half_width(self._variance(found), design.images)
        return (name, found.mean, *found.deviations(design.scored), error, half)

    def _variance(self, found: Components) -> float:
        return found.variance(self.design.repeats, self.design.scored)

    def _last_row_note(self) -> str:
        return "The last row is the pair of methods whose difference has the widest interval."

    def _about_the_pilot(self) -> str:
        pilot = self.pilot
        spread = 100 / sqrt(2 * (pilot.images - 1))
        return (
            f"From a pilot of {counted(pilot.images, 'image')} with two repeats and all steps ({pilot.evaluations:,} "
            f"evaluations in {duration(pilot.seconds)}): its standard deviations between images, and so the "
            f"interval, are known to about ± {spread:.0f} %."
        )


def propose(pilot: Pilot, costs: Costs, goal: Goal, available: int) -> Design:
    """The cheapest design that reaches the goal's precision, or the most precise within its budget.

    Repeats up to the paper's ten and all small numbers of scored steps are tried. With a precision, the images are as
    many as it takes, though not fewer than intervals need; if no design can do with those that are available, the one
    that costs least time is proposed all the same. With a budget, designs as precise as the best within a hundredth
    count alike, and the cheapest of them is taken.

    Raises:
        InputError: where the budget is not even enough for two images.
    """
    half = goal.in_unit(pilot.alone[REFERENCE].mean)
    if half is not None:
        least = min(FEW_IMAGES, available)
        found = [
            Design(max(least, images_for(worst_variance(pilot, *size), half)), *size) for size in _sizes(pilot.steps)
        ]
        enough = [design for design in found if design.images <= available]
        return min(enough or found, key=costs.seconds)
    affordable = [Design(min(available, costs.affordable(goal, *size)), *size) for size in _sizes(pilot.steps)]
    widths = {
        design: half_width(worst_variance(pilot, design.repeats, design.scored), design.images)
        for design in affordable
        if design.images >= 2
    }
    if not widths:
        raise InputError(f"a budget of {goal} is not enough for one scored step on two images; give more")
    best = min(widths.values())
    return min((design for design, width in widths.items() if width <= SLACK * best), key=costs.seconds)


def worst_variance(pilot: Pilot, repeats: int, scored: int) -> float:
    """Variance of one image's AOPC above the random order, for the method where it is largest."""
    return max(found.variance(repeats, scored) for found in pilot.above_random.values())


def half_width(variance: float, images: int) -> float:
    """Half the 95 % interval of a mean over images (Student's t); what is needed to the left is needed to the right.

    >>> round(half_width(variance=4.0, images=100), 3)
    0.397
    """
    return float(scipy.special.stdtrit(images - 1, (1 + CONFIDENCE) / 2)) * sqrt(variance / images)


def images_for(variance: float, half: float) -> int:
    """The fewest images, at least two, whose interval is no wider than ± ``half``.

    >>> images_for(variance=4.0, half=0.397)
    100
    """
    images = max(2, ceil(variance * (float(scipy.special.stdtrit(1e9, (1 + CONFIDENCE) / 2)) / half) ** 2))
    while half_width(variance, images) > half:
        images += 1
    return images


def _sizes(steps: int) -> Iterator[tuple[int, int]]:
    """Repeats and scored steps to try."""
    return ((repeats, scored) for repeats in range(1, PAPER_REPEATS + 1) for scored in numbers_of_steps(steps))
