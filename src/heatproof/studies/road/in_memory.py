"""A comparison of images that are there, kept in this process."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from heatproof.data.source import GivenImages
from heatproof.errors import InputError
from heatproof.network.network import Network
from heatproof.studies.comparison import Comparison
from heatproof.studies.further import needs_of
from heatproof.studies.racing import LOOK, at_random
from heatproof.studies.road import driver
from heatproof.studies.road.collecting import collected
from heatproof.studies.road.driver import Assignment, compute
from heatproof.studies.road.sinks import Memory
from heatproof.studies.shown import chosen_numbers
from heatproof.studies.task import Task, labelled
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Progress


def compared(
    network: Network,
    images: Tensor,
    wanted: Wanted,
    progress: Progress,
    *,
    targets: Tensor | int | None = None,
    names: Sequence[str] | None = None,
    skipped: Sequence[tuple[str, str]] = (),
) -> Comparison:
    """Compares methods on images (N, C, H, W)."""
    task = Task.of(network, images, wanted.methods, targets, wanted.protocol, lerf=wanted.lerf, names=names)
    task, labels = replace(task, reference=wanted.reference, removes=wanted.removes), labelled(names, images)
    needs = needs_of(wanted.measures, task)
    if wanted.rule and needs:
        raise InputError("measures that evaluate the network need all images: leave out these measures, or until")
    order = at_random(task.identities, seed=wanted.protocol.seed) if wanted.rule else range(len(images))
    given = wanted.protocol.regions
    if isinstance(given, Tensor) and given.ndim == 3:
        given = given[list(order)]
    shown, source = (
        chosen_numbers(wanted.show, [labels[place] for place in order]),
        GivenImages(images, labels, labels if names else task.identities),
    )
    protocol = replace(task.protocol, steps=task.steps, regions=given)
    assignment = Assignment(
        replace(wanted, methods={**task.computed, **task.given, **task.borrowed}, protocol=protocol),
        load=lambda: (network, source),
        order=order,
        sink=Memory(len(images), LOOK if wanted.rule else driver.SIZE, shown),
        targets=task.targets,
        regions=task.regions,
    )
    progress.begin(task.evaluations + sum(need.evaluations for need in needs))
    compute(assignment, None, progress)
    return replace(collected(assignment, network, source, progress), skipped=tuple(skipped))
