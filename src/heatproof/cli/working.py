"""Options that say which processes compute a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from heatproof.bounds import WORKERS
from heatproof.cli.options import Picturing
from heatproof.cli.places import RunPlace, command_line
from heatproof.cli.printing import progress, warn
from heatproof.errors import InputError
from heatproof.options.option import Bounded, Option
from heatproof.registry import is_whole, unknown

if TYPE_CHECKING:
    from heatproof.data import Dataset
    from heatproof.network import Network
    from heatproof.runs.workers import Make, Workers
    from heatproof.studies.road.running import Execution, Opened

HERE, RAY = "here", "ray"


@dataclass(frozen=True)
class Working(Bounded):
    """Options that say which processes compute the shards of a run."""

    on: Annotated[
        str,
        Option(
            "Where to compute: in this process (here), or by workers on Ray (ray; needs the extra ray).",
            metavar="here|ray",
        ),
    ] = HERE
    address: Annotated[
        str | None, Option("Address of a running Ray, for --on ray. Default: start one on this machine.")
    ] = None
    workers: Annotated[
        int | None, Option("Number of workers, for --on ray. Default: as many as fit.", bounds=WORKERS)
    ] = None
    cores: Annotated[int, Option("Number of cores of each worker, for --on ray.", bounds=WORKERS)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.on not in (HERE, RAY):
            raise InputError(unknown("value of on", self.on, (HERE, RAY)))
        if self.on == HERE and (self.address or self.workers or self.cores != 1):
            raise InputError("address, workers and cores need Ray: add --on ray")

    @property
    def shares(self) -> tuple[int, int]:
        """The number of the share, from 1, and of how many."""
        return 1, 1

    @contextmanager
    def execution(self, place: RunPlace, unit: str = "evaluations", device: str | None = None) -> "Iterator[Execution]":
        """How a run is made in a place, with a bar that counts ``unit``; ``device`` says what a worker needs."""
        from heatproof.studies.road.running import Execution

        with progress(unit) as advance:
            yield Execution(self.maker(device), self.shares, place.overwrite, advance, command_line())

    def opened_by(self, given: Picturing, seed: int) -> "Opened":
        """Gives the network and the data set, which are opened now; other processes open them anew."""
        ready = given.load_network(), given.dataset(seed=seed)
        warn(ready[1].notes)
        return (lambda: ready) if self.on == HERE else partial(opened_anew, given, seed)

    def maker(self, device: str | None = None) -> "Callable[[Make], Workers] | None":
        """Makes the workers, which have a GPU each where the ``device`` is one; none for this process."""
        if self.on == HERE:
            return None
        kind, colon, _ = (device or "").partition(":")
        if kind == "cuda" and colon:
            raise InputError(
                f"a worker on Ray has one GPU, which it calls cuda: give --device cuda, not {device!r:.80}"
            )
        from heatproof.runs.ray_workers import RayWorkers  # Ray is an extra

        gpus = None if device is None else float(kind == "cuda")
        return partial(RayWorkers, address=self.address, count=self.workers, cores=self.cores, gpus=gpus)


@dataclass(frozen=True)
class Sharing(Working):
    """Options that say which processes compute the shards of a run, and which shards."""

    share: Annotated[
        str,
        Option(
            "Compute the I-th of N shares only, into a separate --out; 'heatproof merge' joins the shares.",
            metavar="I/N",
        ),
    ] = "1/1"

    def __post_init__(self) -> None:
        super().__post_init__()
        first, slash, count = self.share.partition("/")
        if not slash or not is_whole(first) or not is_whole(count) or not 1 <= int(first) <= int(count):
            raise InputError(f"share must be I/N, such as 1/4, got {self.share!r}")

    @property
    def shares(self) -> tuple[int, int]:
        """The number of the share, from 1, and of how many."""
        first, _, count = self.share.partition("/")
        return int(first), int(count)


def opened_anew(given: Picturing, seed: int) -> "tuple[Network, Dataset]":
    """The network and the data set; called in every process that works on a run."""
    return given.network_of(), given.dataset(seed=seed)
