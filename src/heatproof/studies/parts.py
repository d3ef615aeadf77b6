"""What the images of a task give: heatmaps, curves and measures."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from heatproof.heatmaps.explaining import Explained
from heatproof.perturbation.perturbing import perturb_scores
from heatproof.results.measured import measured
from heatproof.results.part import IN_SCOPE, REFERENCE, Part
from heatproof.studies.changing.measuring import changed_measures
from heatproof.studies.complexities import complexities
from heatproof.studies.finding import found_inside
from heatproof.studies.further import Need
from heatproof.studies.task import Task


def part_of(
    task: Task,
    where: slice,
    batch: Explained,
    names: Sequence[str],
    needs: Sequence[Need],
    on_progress: Callable[[int], None],
) -> Part:
    """What some of the task's images gave, whose heatmaps are at hand."""
    if not task.removes:
        on_progress(len(batch.targets))
        return _measured_alone(task, where, batch, names, on_progress)
    images, regions, ids = task.images[where], task.regions[where], task.identities[where]
    local = replace(task.protocol, regions=regions)
    orders = task.orders(batch.heatmaps, where)
    wanted = list(dict.fromkeys((task.protocol.score, *task.scores)))
    by_score = perturb_scores(task.network, images, orders, batch.asked, local, ids, wanted, on_progress)
    if (
        task.scope
    ):  # on its own: all trajectories would read all classes, and one logit is cheaper and rounded otherwise
        random_order = {key: order for key, order in orders.items() if key[0] == REFERENCE}
        by_score |= perturb_scores(task.network, images, random_order, batch.asked, local, ids, [IN_SCOPE], on_progress)
    found = by_score.pop(task.protocol.score)
    further: dict[str, Any] = {}
    for need in needs:
        further |= need.evaluate(task.network, images, next(iter(found.values())), on_progress)
    walked = {key: replace(curves, order=key[1], protocol=task.protocol) for key, curves in found.items()}
    morf = {name: walked[name, "morf"] for name in task.names}
    lerf = {name: walked[name, "lerf"] for name in task.names if task.lerf}
    random = walked[REFERENCE, "random"] if task.reference else None
    return Part(
        names=tuple(names),
        classes=batch.classes(task.network),
        targets=batch.targets.cpu(),
        curves=morf | ({REFERENCE: random} if random else {}),
        lerf=lerf,
        heatmaps=batch.heatmaps,
        conservation=batch.conservation,
        measured=measured(morf, lerf, random, batch.heatmaps, regions, further),
        others={
            score: {
                key: replace(curves, order=key[1], protocol=replace(task.protocol, score=score))
                for key, curves in walks.items()
            }
            for score, walks in by_score.items()
        },
    )


def _measured_alone(
    task: Task, where: slice, batch: Explained, names: Sequence[str], on_progress: Callable[[int], None]
) -> Part:
    """What heatmaps gave of which nothing is removed.

    How complex they are, whether they find what was planted, or what becomes of them where something is changed.
    """

    def measures(maps: Tensor) -> dict[str, np.ndarray]:
        values = maps.float().cpu().numpy()
        return complexities(values) if task.inside is None else found_inside(values, task.inside[where].numpy())

    return Part(
        names=tuple(names),
        classes=batch.classes(task.network),
        targets=batch.targets.cpu(),
        curves={},
        lerf={},
        heatmaps=batch.heatmaps,
        conservation=batch.conservation,
        measured=changed_measures(task, where, batch, on_progress)
        if task.changing
        else {name: measures(maps) for name, maps in batch.heatmaps.items()},
    )
