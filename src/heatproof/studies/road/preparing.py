"""What is settled before the first shard: statistics, steps, what cannot be done, what nodes cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from heatproof.data.pictures import Pictures, none_usable
from heatproof.data.source import Source
from heatproof.errors import InputError
from heatproof.heatmaps.control_methods import UPPER_MARK, kind_of_control
from heatproof.heatmaps.precomputed import ImageSelection
from heatproof.network import Network
from heatproof.network.precision import in_precision
from heatproof.perturbation import Protocol
from heatproof.perturbation.regions import as_regions, differ_in_number
from heatproof.perturbation.statistics import Statistics
from heatproof.studies.changing.measuring import changed_measures
from heatproof.studies.further import needs_of
from heatproof.studies.planning.pace import choose_engine
from heatproof.studies.road import driver
from heatproof.studies.road.driver import Assignment


def batches(source: Source) -> Iterator[Tensor]:
    """All images that can be used, some at a time."""
    for start in range(0, len(source.names), driver.SIZE):
        images = source.read(range(start, min(start + driver.SIZE, len(source.names)))).images
        if len(images):
            yield images


def fitted(protocol: Protocol, source: Source) -> Protocol:
    """The protocol with statistics of the whole data set, read twice, where it needs some and has none."""
    if not protocol.uses_statistics or protocol.statistics is not None:
        return protocol
    return replace(protocol, statistics=Statistics.of_batches(partial(batches, source)))


def settled(protocol: Protocol, source: Source) -> Protocol:
    """The protocol with a number of steps, where superpixels allow more of them in some images than in others."""
    if not differ_in_number(protocol.regions) or isinstance(protocol.steps, int):
        return protocol
    steps = [protocol.steps_for(as_regions(protocol.regions, images)) for images in batches(source)]
    return replace(protocol, steps=min(steps)) if steps else protocol


def first_pictures(source: Source, order: Sequence[int]) -> Pictures:
    """Some pictures that can be used, to learn the size of images from.

    Raises:
        InputError: if there are none.
    """
    skipped: list[tuple[str, str]] = []
    for start in range(0, len(order), driver.SIZE):
        pictures = source.read(order[start : start + driver.SIZE])
        if len(pictures.images):
            return pictures
        skipped += pictures.skipped
    raise none_usable(skipped)


def try_one(assignment: Assignment, network: Network, pictures: Pictures) -> None:
    """Explains one picture, so that what cannot be done is refused before anything is written.

    Occlusion, which can always be done, asks the network about every window, so that it is left for later.
    """
    usable = assignment.askable(network, pictures)
    some = usable if len(usable.images) else pictures
    task = assignment.task(network, replace(some, images=some.images[:1]))
    needs_of(assignment.wanted.measures, task)
    task = task.among([name for name in task.names if kind_of_control(name) != UPPER_MARK])
    if len(usable.images):
        where, batch = next(task.explained())
        if task.changing:
            changed_measures(task, where, batch, lambda evaluations: None)


def check_files(assignment: Assignment, source: Source, pictures: Pictures) -> None:
    """Refuses files of heatmaps that lack one of a picture that can be used, or hold one of another size."""
    names = source.names
    height, width = pictures.images.shape[2:]
    for file in assignment.wanted.files.values():
        missing = file.missing(ImageSelection.every(len(names), names), (height, width))
        for start in range(0, len(missing), driver.SIZE):
            usable = source.read(missing[start : start + driver.SIZE]).names
            if usable:
                raise InputError(
                    f"{str(file.path)!r} has no map for {len(missing)} of {len(names)} images, such as {usable[0]!r}"
                )


def measured_costs(assignment: Assignment, network: Network, pictures: Pictures) -> tuple[Mapping[str, Any], ...]:
    """What nodes cost, measured now if the engine wants it, for all workers and for resuming."""
    if not assignment.wanted.removes:
        return ()
    task = assignment.task(network, replace(pictures, images=pictures.images[:1]))
    choose_engine(task)
    return tuple(in_precision(network, task.protocol.precision).planner.costs())
