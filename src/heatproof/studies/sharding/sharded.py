"""A comparison shard by shard: what is whole is never computed again, whatever happens."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from heatproof import runs
from heatproof.data import Dataset
from heatproof.data.pictures import Pictures, read_shard
from heatproof.errors import InputError
from heatproof.heatmaps.explaining import OwnMethod
from heatproof.heatmaps.stored import Asked, MapFile
from heatproof.measures import aopc
from heatproof.network import Network
from heatproof.perturbation import Protocol
from heatproof.perturbation.engine import choose
from heatproof.perturbation.scores import SCORES
from heatproof.perturbation.sequences import distinct
from heatproof.perturbation.statistics import Statistics
from heatproof.runs.log import RunLog
from heatproof.runs.objects import Store
from heatproof.runs.workers import Done, Make, Workers, this_worker
from heatproof.studies.further import needs_of
from heatproof.studies.parts import Part, part_of
from heatproof.studies.racing import LOOK, Race, Rule
from heatproof.studies.sharding.shards import Shards, Whole
from heatproof.studies.task import REFERENCE, Task
from heatproof.studies.watching import Clock

SIZE = 32  # images of a shard
Load = Callable[[], tuple[Network, Dataset]]


@dataclass(frozen=True)
class Assignment:
    """Everything that a worker needs to compute any shard; picklable where ``load`` is.

    Attributes:
        load: the network and the data set.
        methods: of the heatmaps, by name; those of files too.
        protocol: how regions are removed and scored, with the statistics that it needs.
        order: places of the images in the data set, in the order of the run.
        store: where shards are written.
        lerf: whether least relevant regions are also removed first.
        measures: that evaluate the network further.
        rule: when to stop adding images, if not with the last one.
        costs: of the network's nodes, so that all workers take the same plans.
        files: of heatmaps, by the names of their methods.
    """

    load: Load
    methods: tuple[str, ...]
    protocol: Protocol
    order: Sequence[int]
    store: Store
    lerf: bool = False
    measures: tuple[str, ...] = ()
    rule: Rule | None = None
    costs: tuple[Mapping[str, Any], ...] | None = None
    files: Mapping[str, MapFile] = field(default_factory=dict)

    @property
    def shards(self) -> Shards:
        """Where results lie."""
        return Shards(self.store, len(self.order), LOOK if self.rule else SIZE)

    def describe(self) -> dict[str, Any]:
        """What is done with each image, as JSON-able values; ``order`` and where things are stay out."""
        protocol = {f.name: getattr(self.protocol, f.name) for f in fields(Protocol) if f.name != "statistics"}
        return {
            "methods": list(self.methods),
            "protocol": protocol,
            "lerf": self.lerf,
            "measures": list(self.measures),
            "rule": self.rule and asdict(self.rule),
        }

    def task(self, network: Network, pictures: Pictures) -> Task:
        """The comparison on these pictures."""
        count = len(pictures.images)
        asked = Asked(pictures.numbers[:count], pictures.names[:count], len(self.order))
        height, width = pictures.images.shape[2:]
        methods: dict[str, str | OwnMethod | Tensor | Path] = {name: name for name in self.methods}
        for name, file in self.files.items():
            methods[name] = file.read(asked, (height, width))
        return Task.of(network, pictures.images, methods, None, self.protocol, lerf=self.lerf)


class Worker:
    """Computes shards of an assignment; the network is loaded once."""

    def __init__(self, assignment: Assignment) -> None:
        self.assignment, self.shards = assignment, assignment.shards
        self.network, self.dataset = assignment.load()
        for file in assignment.files.values():
            file.check()
        if assignment.costs is not None:
            self.network.use_costs(assignment.costs)
        self.race = replayed(assignment, self.shards.read_all(assignment.protocol))

    def __call__(self, number: int) -> dict[str, Any]:
        """Computes and writes a shard; returns what the log says of it."""
        clock = Clock()
        positions = self.shards.positions(number)
        if self.race and not self.race.running:
            return {"images": 0, "evaluations": 0, "needed": False}
        places = [self.assignment.order[position] for position in positions]
        pictures = read_shard(self.dataset, places, self.network.preprocessing)
        where = {place: position for place, position in zip(places, positions, strict=True)}
        kept = [where[place] for place in pictures.numbers]
        part, evaluations = self._part(pictures, clock)
        about = {
            "evaluations": evaluations,
            "heatmap_seconds": clock.seconds["heatmaps"],
            "perturbation_seconds": clock.seconds["perturbation"],
            "seconds": time.perf_counter() - clock.started,
            "worker": this_worker(),
        }
        self.shards.maps.write_pictures(dict(zip(kept, pictures.images.float().numpy(), strict=True)))
        self.shards.write(number, part, kept, pictures.skipped, about)
        return {"images": len(kept), "evaluations": evaluations, "skipped": len(pictures.skipped), "needed": True}

    def _part(self, pictures: Pictures, clock: Clock) -> tuple[Part | None, int]:
        """What the pictures gave, and how many evaluations that took."""
        if not len(pictures.images):
            return None, 0
        task = self.assignment.task(self.network, pictures)
        needs = needs_of(self.assignment.measures, task)
        if self.race:
            task = task.among(self.race.running)
        done: list[int] = []
        parts = []
        for where, batch in clock.timed("heatmaps", task.explained()):
            with clock.timing("perturbation"):
                parts.append(part_of(task, where, batch, pictures.names[where], needs, done.append))
        part = Part.joined(parts)
        if self.race:
            _take(self.race, part)
        return part, sum(done)


def replayed(assignment: Assignment, wholes: Iterable[Whole]) -> Race | None:
    """The race as it stands after these shards; none without a rule."""
    if assignment.rule is None:
        return None
    race = Race(assignment.methods, REFERENCE, assignment.rule, given=len(assignment.order))
    for whole in wholes:
        if whole.part:
            _take(race, whole.part)
    return race


def _take(race: Race, part: Part) -> None:
    race.add({name: aopc(curves).double().numpy() for name, curves in part.curves.items()})
    race.look()


def compute(
    assignment: Assignment,
    workers: Callable[[Make], Workers],
    on_done: Callable[[Done], None] | None = None,
    share: tuple[int, int] = (1, 1),
) -> dict[int, str]:
    """Computes the shards of a share that are not whole; returns those that were set aside, each with its error."""
    shards, log = assignment.shards, RunLog(assignment.store)
    whole = set(shards.whole())
    failed: dict[int, str] = {}

    def finished(done: Done) -> None:
        if done.error is None:
            if done.value["needed"]:
                log.write("shard done", shard=done.number, seconds=done.seconds, worker=done.worker, **done.value)
        else:
            failed[done.number] = done.error
            report = {"shard": done.number, "error": done.error, "tries": done.tries, "worker": done.worker}
            assignment.store.put(f"failed/{done.number:05}.json", runs.json_bytes(report))
            log.write("shard failed", **report)
        if on_done:
            on_done(done)

    with workers(partial(Worker, assignment)) as crew:
        first, every = share
        crew.run([number for number in range(first - 1, len(shards), every) if number not in whole], finished)
    return failed


def fitted(protocol: Protocol, network: Network, dataset: Dataset) -> Protocol:
    """The protocol with statistics of the whole data set, read twice, where it needs some and has none."""
    if not protocol.uses_statistics or protocol.statistics is not None:
        return protocol

    def batches() -> Any:  # noqa: ANN401 - an iterator of images
        for start in range(0, len(dataset), SIZE):
            numbers = range(start, min(start + SIZE, len(dataset)))
            images = read_shard(dataset, numbers, network.preprocessing).images
            if len(images):
                yield images

    return replace(protocol, statistics=Statistics.of_batches(batches))


def first_pictures(network: Network, dataset: Dataset, order: Sequence[int]) -> Pictures:
    """Some pictures that can be used, to learn the size of images from.

    Raises:
        InputError: if there are none.
    """
    skipped: list[tuple[str, str]] = []
    for start in range(0, len(order), SIZE):
        pictures = read_shard(dataset, order[start : start + SIZE], network.preprocessing)
        if len(pictures.images):
            return pictures
        skipped = skipped or list(pictures.skipped)
    why = f", such as {skipped[0][0]!r}: {skipped[0][1]}" if skipped else ""
    raise InputError(f"none of the {len(order)} pictures of {dataset.name} can be used{why}")


def try_one(assignment: Assignment, network: Network, pictures: Pictures) -> None:
    """Explains one picture, so that what cannot be done is refused before anything is written."""
    task = assignment.task(network, replace(pictures, images=pictures.images[:1]))
    needs_of(assignment.measures, task)
    next(task.explained())


def check_files(assignment: Assignment, network: Network, dataset: Dataset, pictures: Pictures) -> None:
    """Refuses files of heatmaps that lack one of a picture that can be used, or hold one of another size."""
    names = [member.name for member in dataset.members]
    height, width = pictures.images.shape[2:]
    for file in assignment.files.values():
        file.check_shapes(Asked.every(len(names), names), (height, width))
        missing = file.missing(Asked.every(len(names), names))
        for start in range(0, len(missing), SIZE):
            usable = read_shard(dataset, missing[start : start + SIZE], network.preprocessing).names
            if usable:
                raise InputError(
                    f"{str(file.path)!r} has no map for {len(missing)} of {len(names)} images, such as {usable[0]!r}"
                )


def measured_costs(assignment: Assignment, network: Network, pictures: Pictures) -> tuple[Mapping[str, Any], ...]:
    """What nodes cost, measured now if the engine wants it, for all workers and for going on later."""
    task = assignment.task(network, replace(pictures, images=pictures.images[:1]))
    protocol = task.protocol
    choose(
        network,
        task.shape,
        distinct(task.regions),
        engine=protocol.engine,
        score=SCORES.resolve(protocol.score),
        regions_at_once=task.regions_at_once,
        imputes=protocol.imputes,
    )
    return tuple(network.costs())
