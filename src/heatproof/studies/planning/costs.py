"""What designs of a comparison cost: heatmaps once for each image, sequences for each repeat and scored step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from heatproof.studies.planning.goal import Goal
from heatproof.studies.planning.pace import choose_engine, measure_pace, sequences_together, time_heatmaps
from heatproof.studies.task import Task

MEASURED = 5  # numbers of scored steps at which the pace is measured, from 1 to all; in between it is interpolated


@dataclass(frozen=True)
class Design:
    """How a comparison is made.

    Attributes:
        images: N.
        repeats: T.
        scored: at how many of the steps the score is evaluated, K.
    """

    images: int
    repeats: int
    scored: int

    @property
    def options(self) -> str:
        """Options of the command ``heatproof compare`` that make this design.

        >>> Design(412, 1, 5).options
        '--images 412 --scored 5 --repeats 1'
        """
        return f"--images {self.images} --scored {self.scored} --repeats {self.repeats}"


@dataclass(frozen=True)
class Costs:
    """What designs cost.

    Attributes:
        preparing: seconds, once.
        heatmaps: seconds for the heatmaps of one image.
        orders: methods and the random order: sequences of an image in each repeat.
        paces: seconds that one sequence takes, by the number of its scored steps.
    """

    preparing: float
    heatmaps: float
    orders: int
    paces: Mapping[int, float]

    def evaluations(self, design: Design) -> int:
        """Evaluations of perturbed and untouched images."""
        return design.images * (1 + self.orders * design.repeats * design.scored)

    def seconds(self, design: Design) -> float:
        """Expected seconds in all."""
        return self.preparing + design.images * (
            self.heatmaps + self.orders * design.repeats * self.pace(design.scored)
        )

    def pace(self, scored: int) -> float:
        """Seconds of one sequence; what was not measured is interpolated on logarithmic scales.

        >>> round(Costs(0.0, 0.0, 1, {1: 1.0, 100: 10.0}).pace(10), 2)
        3.16
        """
        known = sorted(self.paces)
        seconds = [max(self.paces[number], 1e-12) for number in known]
        return float(np.exp(np.interp(np.log(scored), np.log(known), np.log(seconds))))

    def affordable(self, goal: Goal, repeats: int, scored: int) -> int:
        """How many images a budget is enough for."""
        one = Design(1, repeats, scored)
        if goal.evaluations is not None:
            return goal.evaluations // self.evaluations(one)
        assert goal.seconds is not None, "a budget is a number of evaluations or a time"
        return max(0, int((goal.seconds - self.preparing) // max(self.seconds(one) - self.preparing, 1e-12)))


def measure_costs(task: Task, preparing: float) -> Costs:
    """Costs of the designs of a task, whose graph is there, with any numbers of images, repeats and scored steps."""
    seconds, batch = time_heatmaps(task)
    orders = task.sequences_of_an_image // task.protocol.repeats
    paces = {}
    for scored in {int(number) for number in np.geomspace(1, task.steps, MEASURED).round()}:
        sample = replace(task, protocol=replace(task.protocol, scored=scored, repeats=1))
        _, plan = choose_engine(sample)
        pace = measure_pace(sample, batch, sequences_together(sample, batch, plan))
        paces[scored] = pace.seconds(1, scored)
    return Costs(preparing, seconds / len(batch.targets), orders, paces)
