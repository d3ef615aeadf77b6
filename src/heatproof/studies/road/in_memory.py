"""A comparison of images that are there, kept in this process."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from heatproof.data.source import Given
from heatproof.defaults import SHOWN
from heatproof.errors import InputError
from heatproof.network.network import Network
from heatproof.perturbation import Protocol
from heatproof.results.settlement import Rule
from heatproof.studies.comparison import Comparison
from heatproof.studies.further import needs_of
from heatproof.studies.racing import LOOK, at_random
from heatproof.studies.road import driver
from heatproof.studies.road.collecting import collected
from heatproof.studies.road.driver import Assignment, compute
from heatproof.studies.road.sinks import Memory
from heatproof.studies.shown import chosen_numbers
from heatproof.studies.task import Methods, Task, labelled
from heatproof.studies.watching import Progress


def compared(
    network: Network,
    images: Tensor,
    methods: Methods,
    protocol: Protocol,
    progress: Progress,
    *,
    targets: Tensor | int | None = None,
    names: Sequence[str] | None = None,
    lerf: bool = False,
    reference: bool = True,
    scores: Sequence[str] = (),
    removes: bool = True,
    measures: Sequence[str] = (),
    rule: Rule | None = None,
    audit: int | None = 0,
    show: int | str = SHOWN,
    skipped: Sequence[tuple[str, str]] = (),
) -> Comparison:
    """Compares methods on images (N, C, H, W); the arguments are those of ``compare`` and of ``Assignment``."""
    task, labels = Task.of(network, images, methods, targets, protocol, lerf=lerf, names=names), labelled(names, images)
    needs = needs_of(measures, task)
    if rule and needs:
        raise InputError("measures that evaluate the network further want all images: leave out them, or until")
    order = at_random(task.identities, seed=protocol.seed) if rule else range(len(images))
    given = protocol.regions
    if isinstance(given, Tensor) and given.ndim == 3:
        given = given[list(order)]
    shown, source = chosen_numbers(show, [labels[place] for place in order]), Given(images, labels)
    assignment = Assignment(
        load=lambda: (network, source),
        methods={**task.computed, **task.given},
        protocol=replace(task.protocol, steps=task.steps, regions=given),
        order=order,
        sink=Memory(len(images), LOOK if rule else driver.SIZE, shown),
        lerf=lerf,
        measures=tuple(measures),
        rule=rule,
        reference=reference,
        scores=tuple(scores),
        removes=removes,
        targets=task.targets,
        regions=task.regions,
    )
    progress.begin(
        replace(task, reference=reference, removes=removes).evaluations + sum(need.evaluations for need in needs)
    )
    compute(assignment, None, progress)
    return replace(collected(assignment, network, source, audit, progress), skipped=tuple(skipped))
