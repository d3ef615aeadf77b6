"""Options that say who computes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from heatproof.bounds import WORKERS
from heatproof.errors import InputError
from heatproof.registry import is_whole, unknown

if TYPE_CHECKING:
    from heatproof.runs.workers import Make, Workers

HERE, RAY = "here", "ray"


@dataclass(frozen=True)
class Working:
    """Who computes the shards of a run."""

    on: Annotated[
        str,
        typer.Option("--on", metavar="here|ray", help="This process, or workers on Ray (the extra ray)."),
    ] = HERE
    address: Annotated[
        str | None, typer.Option(help="Of a running Ray, for --on ray; by default one is started on this machine.")
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(help="How many, for --on ray; by default as many as there is room for.", min=1, max=WORKERS.high),
    ] = None
    cores: Annotated[int, typer.Option(help="Of each worker, for --on ray.", min=1, max=WORKERS.high)] = 1

    def maker(self) -> "Callable[[Make], Workers] | None":
        """Makes the workers; none for this process."""
        if self.on not in (HERE, RAY):
            raise InputError(unknown("place to compute (on)", self.on, (HERE, RAY)))
        if self.on == HERE:
            if self.address or self.workers or self.cores != 1:
                raise InputError("address, workers and cores are for Ray: add --on ray")
            return None
        from heatproof.runs.ray_workers import RayWorkers  # Ray is an extra

        return partial(RayWorkers, address=self.address, count=self.workers, cores=self.cores)


@dataclass(frozen=True)
class Sharing(Working):
    """Who computes the shards of a run, and which of them."""

    share: Annotated[
        str,
        typer.Option(
            metavar="I/N",
            help="Compute the I-th of N shares only, with an --out of its own; 'heatproof merge' joins them.",
        ),
    ] = "1/1"

    @property
    def shares(self) -> tuple[int, int]:
        """The number of the share, from 1, and of how many."""
        first, slash, count = self.share.partition("/")
        if not slash or not is_whole(first) or not is_whole(count) or not 1 <= int(first) <= int(count):
            raise InputError(f"share must be I/N, such as 1/4, got {self.share!r}")
        return int(first), int(count)
