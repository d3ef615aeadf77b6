"""A comparison shard by shard, in memory and in a run: complete shards are never computed again."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from heatproof.data.pictures import Pictures, none_usable
from heatproof.data.source import Source
from heatproof.heatmaps.control_methods import UPPER_MARK, kind_of_control
from heatproof.heatmaps.explaining import Explained
from heatproof.heatmaps.precomputed import ImageSelection, MapFile
from heatproof.network import Network
from heatproof.network.precision import in_precision
from heatproof.perturbation import Protocol
from heatproof.perturbation.fitting import for_network
from heatproof.perturbation.trajectories import OnProgress
from heatproof.results.headline import headline, of_curves, proper_methods, rivals_of
from heatproof.results.part import REFERENCE, Part
from heatproof.runs.planted_record import Planted
from heatproof.runs.workers import Direct, Done, LocalWorkers, Make, Workers, this_worker
from heatproof.studies.askable import askable
from heatproof.studies.donors import POOL, Donors
from heatproof.studies.further import needs_of
from heatproof.studies.parts import part_of
from heatproof.studies.planting.source import inside
from heatproof.studies.racing import Race, at_random
from heatproof.studies.road.sinks import Sink, Whole
from heatproof.studies.task import AnotherImage, Task
from heatproof.studies.wanted import Wanted
from heatproof.studies.watching import Clock, Progress

SIZE = 32  # images of a shard
Load = Callable[[], tuple[Network, Source]]


@dataclass(frozen=True)
class Assignment:
    """Everything that a worker needs to compute any shard; picklable where ``load`` is.

    Attributes:
        wanted: what is done with each image; its protocol has the statistics that it needs.
        load: the network and the images.
        order: places of the images in their source, in the order of the study.
        sink: where shards are kept.
        costs: of the network's nodes, so that all workers take the same plans.
        targets: (N,) class indices of all images; none for the predicted classes.
        regions: (N, H, W) region indices of all images; none to make them as the protocol says.
        members: how many images the source has; by default as many as ``order``.
        addresses: of draws of images, for all that the source has; by default their names.
        planted: what heatmaps are to find in the images, if they are to find something.
    """

    wanted: Wanted
    load: Load
    order: Sequence[int]
    sink: Sink
    costs: tuple[Mapping[str, Any], ...] | None = None
    targets: Tensor | None = None
    regions: Tensor | None = None
    members: int | None = None
    addresses: Sequence[str] | None = None
    planted: Planted | None = None

    @property
    def protocol(self) -> Protocol:
        """How regions are removed and scored."""
        return self.wanted.protocol

    def askable(self, network: Network, pictures: Pictures) -> Pictures:
        """These pictures without those whose target cannot be asked against the class that is asked for."""
        targets = None if self.targets is None else self.targets[list(pictures.numbers)]
        return askable(network, pictures, self.protocol.against, memory=self.protocol.memory, targets=targets)

    def task(self, network: Network, pictures: Pictures) -> Task:
        """The comparison on these pictures."""
        count = len(pictures.images)
        places = list(pictures.numbers[:count])
        asked = ImageSelection(tuple(places), pictures.names[:count], self.members or len(self.order))
        height, width = pictures.images.shape[2:]
        methods = {
            name: method.read(asked, (height, width))
            if isinstance(method, MapFile)
            else method[places]
            if isinstance(method, Tensor)
            else method
            for name, method in self.wanted.methods.items()
        }
        targets = None if self.targets is None else self.targets[places]
        planted = [self.planted.explained[place] for place in places] if self.planted else []
        if planted:
            targets = torch.tensor([place.target for place in planted])
        wanted, protocol = self.wanted, for_network(self.protocol, network, tuple(pictures.images.shape[1:]))
        local = protocol if self.regions is None else replace(protocol, regions=self.regions[places])
        task = Task.of(network, pictures.images, methods, targets, local, lerf=wanted.lerf)
        return replace(
            task,
            protocol=protocol,
            reference=wanted.reference,
            scores=tuple(wanted.scores),
            scope=wanted.scope,
            removes=wanted.removes,
            symmetric=wanted.symmetric,
            inside=inside(self.planted, planted) if self.planted else None,
            changing=wanted.changing,
        )


class Worker:
    """Computes shards of an assignment; the network is loaded once.

    Args:
        assignment: what is to be done.
        on_progress: called with the number of evaluations since the last call.
    """

    def __init__(self, assignment: Assignment, on_progress: OnProgress | None = None) -> None:
        self.assignment, self.sink = assignment, assignment.sink
        self.on_progress = on_progress or (lambda evaluations: None)
        self.network, self.source = assignment.load()
        for file in assignment.wanted.files.values():
            file.check()
        if assignment.costs is not None:
            in_precision(self.network, assignment.protocol.precision).planner.use_costs(assignment.costs)
        self.race = race_of(assignment)
        for whole in self.sink.read_all(assignment.protocol) if self.race else ():
            if self.race and whole.part:
                take(self.race, whole.part, symmetric=assignment.wanted.symmetric)

    @cached_property
    def pool(self) -> tuple[int, ...]:
        """Places of the images whose heatmaps others borrow: drawn at random, the same for all workers and shards."""
        assignment = self.assignment
        addresses = assignment.addresses or self.source.names
        drawn = at_random([addresses[place] for place in assignment.order], seed=assignment.protocol.seed)[:POOL]
        return tuple(sorted(assignment.order[position] for position in drawn))

    @cached_property
    def donors(self) -> Donors:
        """The images of the pool, with their heatmaps."""
        wanted = self.assignment.wanted
        methods = {name: one.method for name, one in wanted.methods.items() if isinstance(one, AnotherImage)}
        assignment = replace(self.assignment, wanted=replace(wanted, methods=methods, tuned={}))
        pictures = assignment.askable(self.network, self.source.read(self.pool))
        if not len(pictures.images):
            raise none_usable(pictures.skipped)
        task = assignment.task(self.network, pictures)
        batches = [batch for _, batch in task.explained()]
        return Donors.of(task.identities, batches, {name: name for name in methods}, self.assignment.protocol.seed)

    def __call__(self, number: int) -> dict[str, Any]:
        """Computes and keeps a shard; returns what the log says of it."""
        clock = Clock()
        positions = self.sink.positions(number)
        if self.race and not self.race.running:
            return {"images": 0, "evaluations": 0, "needed": False}
        places = [self.assignment.order[position] for position in positions]
        pictures = self.source.read(places)
        if self.sink.lasts:  # in memory, an error says which image to leave out
            pictures = self.assignment.askable(self.network, pictures)
        where = {place: position for place, position in zip(places, positions, strict=True)}
        kept = tuple(where[place] for place in pictures.numbers)
        part, evaluations = self._part(pictures, clock)
        about = {
            "evaluations": evaluations,
            "heatmap_seconds": clock.seconds["heatmaps"],
            "perturbation_seconds": clock.seconds["perturbation"],
            "seconds": time.perf_counter() - clock.started,
            "worker": this_worker(),
        }
        images = dict(zip(kept, pictures.images, strict=True))
        self.sink.write(Whole(number, part, kept, pictures.skipped, about), images)
        return {"images": len(kept), "evaluations": evaluations, "skipped": len(pictures.skipped), "needed": True}

    def _part(self, pictures: Pictures, clock: Clock) -> tuple[Part | None, int]:
        """What the pictures gave, and how many evaluations that took."""
        if not len(pictures.images):
            return None, 0
        task = self.assignment.task(self.network, pictures)
        needs = needs_of(self.assignment.wanted.measures, task)
        if self.race:
            task = task.among([*self.race.running, *self._marks()])
        done: list[int] = []

        def count(evaluations: int) -> None:
            done.append(evaluations)
            self.on_progress(evaluations)

        parts = []
        for where, batch in self._explained(task, pictures, clock):
            with clock.timing("perturbation"):
                parts.append(part_of(task, where, batch, pictures.names[where], needs, count))
        part = Part.joined(parts)
        if self.race:
            take(self.race, part, symmetric=self.assignment.wanted.symmetric)
        return part, sum(done)

    def _marks(self) -> list[str]:
        """The upper mark, which is in no race, while there are few images: they tell whether the protocol can judge."""
        assert self.race is not None
        marks = [name for name in self.assignment.wanted.methods if kind_of_control(name) == UPPER_MARK]
        return [] if self.race.begun else marks

    def _explained(self, task: Task, pictures: Pictures, clock: Clock) -> Iterator[tuple[slice, Explained]]:
        """Batches of the pictures with their heatmaps, those of other images too."""
        batches = clock.timed("heatmaps", task.explained())
        if not task.borrowed:
            yield from batches
            return
        made = task.borrowed_from
        if tuple(pictures.numbers) == self.pool and len(made) == len(task.borrowed):
            batches = iter(found := list(batches))  # the same heatmaps need not be made twice
            donors = Donors.of(task.identities, [batch for _, batch in found], made, self.assignment.protocol.seed)
        else:
            with clock.timing("heatmaps"):
                donors = self.donors.among(task.borrowed)
        for where, batch in batches:
            yield where, donors.lend(task.identities[where], batch)


def race_of(assignment: Assignment) -> Race | None:
    """The race before its first shard; none without a rule."""
    wanted = assignment.wanted
    if wanted.rule is None:
        return None
    names = [*wanted.methods, REFERENCE]
    methods = proper_methods(names) if wanted.symmetric else list(wanted.methods)
    rivals = {name: rivals_of(name, names) if wanted.symmetric else [REFERENCE] for name in methods}
    return Race(rivals, wanted.rule, given=len(assignment.order))


def take(race: Race, part: Part, *, symmetric: bool) -> None:
    """Adds a shard to a race, and looks at it."""
    random = part.curves.get(REFERENCE)
    race.add(headline(part.curves, part.lerf, symmetric=symmetric), of_curves(random) if random else None)
    race.look()


def compute(
    assignment: Assignment,
    workers: Callable[[Make], Workers] | None,
    progress: Progress,
    share: tuple[int, int] = (1, 1),
) -> None:
    """Computes the shards of a share that are not whole; those that always fail are set aside.

    Without workers, this process computes them and counts each evaluation; others say how many a shard took.
    """
    sink = assignment.sink
    whole = set(sink.whole())

    def finished(done: Done) -> None:
        if done.error is not None:
            report = {"shard": done.number, "error": done.error, "tries": done.tries, "worker": done.worker}
            sink.set_aside(done.number, report)
            sink.tell("shard failed", **report)
            return
        if done.value["needed"]:
            sink.tell("shard done", shard=done.number, seconds=done.seconds, worker=done.worker, **done.value)
        if workers:
            progress.add(done.value["evaluations"])

    make = partial(Worker, assignment) if workers else partial(Worker, assignment, progress.add)
    with (workers or (LocalWorkers if sink.lasts else Direct))(make) as crew:
        first, every = share
        crew.run([number for number in range(first - 1, len(sink), every) if number not in whole], finished)
