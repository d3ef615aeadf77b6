"""Measures that evaluate the network further, after the curves: what they take, and what they find."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from torch import Tensor

from heatproof.bounds import Bounds
from heatproof.errors import InputError
from heatproof.network.network import Network
from heatproof.perturbation import Curves
from heatproof.perturbation.bounds import bound_evaluations, order_bounds
from heatproof.perturbation.subsets import single_region_drops, single_region_evaluations
from heatproof.perturbation.trajectories import OnProgress
from heatproof.registry import Registry, parse_spec
from heatproof.studies.task import Task

Evaluate = Callable[[Network, Tensor, Curves, OnProgress], dict[str, Any]]


@dataclass(frozen=True)
class Need:
    """What a measure needs beside curves.

    Attributes:
        evaluations: of the network, for all images.
        evaluate: makes it from images and any curves of theirs, by the name under which measures know it.
    """

    evaluations: int
    evaluate: Evaluate


FURTHER: Registry[Callable[..., Need]] = Registry("measure that evaluates the network")


@FURTHER.register("naopc")
def naopc(task: Task, *, beam: Annotated[int, Bounds(0, 10_000)] = 0) -> Need:
    """AOPC between those of the worst and the best order: exact for up to 16 regions, searched for with a beam."""
    width = beam or None
    each = [bound_evaluations(count, task.steps, beam=width) for count in task.region_counts]

    def evaluate(network: Network, images: Tensor, curves: Curves, on_progress: OnProgress) -> dict[str, Any]:
        return {"bounds": order_bounds(network, images, curves, beam=width, on_progress=on_progress)}

    return Need(sum(each) * task.protocol.repeats, evaluate)


@FURTHER.register("single-region")
def single_region(task: Task) -> Need:
    """Rank correlation of what single regions take with their relevance: one evaluation for each region."""
    each = [single_region_evaluations(count, task.protocol.repeats) for count in task.region_counts]

    def evaluate(network: Network, images: Tensor, curves: Curves, on_progress: OnProgress) -> dict[str, Any]:
        return {"drops": single_region_drops(network, images, curves, on_progress=on_progress)}

    return Need(sum(each), evaluate)


def needs_of(measures: Sequence[str], task: Task) -> list[Need]:
    """What such measures need, checked before anything is computed."""
    check_measures(measures)
    return [FURTHER.resolve(spec)(task) for spec in measures]


def check_measures(measures: Sequence[str]) -> None:
    """Refuses measures that are not known, or given twice."""
    if isinstance(measures, str):
        raise TypeError(f"measures must be a list of names, got the text {measures!r}")
    names = [parse_spec(spec)[0] for spec in measures]
    for spec, name in zip(measures, names, strict=True):
        FURTHER.resolve(spec)
        if names.count(name) > 1:
            raise InputError(f"measure {name!r} is given twice")
