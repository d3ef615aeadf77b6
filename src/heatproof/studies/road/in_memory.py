"""A comparison of images that are there, kept in this process."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from heatproof.data.source import GivenImages
from heatproof.errors import InputError
from heatproof.network.network import Network
from heatproof.studies.comparison import Comparison
from heatproof.studies.further import needs_of
from heatproof.studies.pilot import followed, pilot_places, with_choice
from heatproof.studies.planted import planted_by, planted_truth
from heatproof.studies.racing import LOOK, at_random
from heatproof.studies.road import driver
from heatproof.studies.road.collecting import collected
from heatproof.studies.road.driver import Assignment, compute
from heatproof.studies.road.piloting import chosen_protocol
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
    """Compares methods on images (N, C, H, W), which stay on the CPU; the network takes each batch to its device."""
    images, targets = images.cpu(), targets.cpu() if isinstance(targets, Tensor) else targets
    labels = labelled(names, images)
    task = Task.of(network, images, wanted.methods, targets, wanted.protocol, lerf=wanted.lerf, names=names)
    wanted = followed(wanted, network, task.shape)
    addresses = labels if names else task.identities
    photographs, witness = GivenImages(images, tuple(labels)), wanted.witness
    planted = planted_by(witness, network, photographs, targets=targets) if witness else None
    places, choice = pilot_places(wanted, addresses), None
    if places:
        progress.parts += len(wanted.candidates)
        pilot = _assigned(network, images, wanted, task, labels, addresses, range(len(images)))
        choice = chosen_protocol(pilot, network, pilot.load()[1], places, progress)
    if choice:
        wanted = with_choice(wanted, choice)
        task = Task.of(network, images, wanted.methods, targets, wanted.protocol, lerf=wanted.lerf, names=names)
    task = replace(
        task,
        reference=wanted.reference,
        removes=wanted.removes,
        symmetric=wanted.symmetric,
        scope=wanted.scope,
        changing=wanted.changing,
    )
    judged = [place for place in range(len(images)) if not choice or place not in places]
    of_judged = task.of_images(judged) if choice else task
    needs = needs_of(wanted.measures, of_judged)
    if wanted.rule and needs:
        raise InputError("measures that evaluate the network need all images: leave out these measures, or until")
    if wanted.rule:
        drawn = at_random([task.identities[place] for place in judged], seed=wanted.protocol.seed)
        judged = [judged[number] for number in drawn]
    assignment = _assigned(network, images, wanted, task, labels, addresses, judged)
    progress.begin(of_judged.evaluations + sum(need.evaluations for need in needs))
    compute(assignment, None, progress)
    found = collected(assignment, network, assignment.load()[1], progress)
    truth = planted_truth(network, photographs, witness, planted, progress) if witness and planted else None
    return replace(found, skipped=tuple(skipped), choice=choice, truth=truth)


def _assigned(
    network: Network,
    images: Tensor,
    wanted: Wanted,
    task: Task,
    labels: Sequence[str],
    addresses: Sequence[str],
    order: Sequence[int],
) -> Assignment:
    """What is to be done with images (N, C, H, W), of which those at the places ``order`` are taken."""
    shown = chosen_numbers(wanted.show, [labels[place] for place in order])
    source = GivenImages(images, tuple(labels))
    given = task.protocol.regions
    if isinstance(given, Tensor) and given.ndim == 3:
        given = given[list(order)]
    protocol = replace(task.protocol, steps=task.steps, regions=given)
    return Assignment(
        replace(wanted, methods={**task.computed, **task.given, **task.borrowed}, protocol=protocol),
        load=lambda: (network, source),
        order=order,
        sink=Memory(len(order), LOOK if wanted.rule else driver.SIZE, shown),
        targets=task.targets,
        regions=task.regions,
        members=len(images),
        addresses=addresses,
    )
