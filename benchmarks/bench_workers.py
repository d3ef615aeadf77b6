"""How much faster two one-core workers on Ray are than one: shards of pure torch work on the CPU.

    python benchmarks/bench_workers.py [--shards 40] [--seconds 0.5] [--rounds 3]

Rounds alternate; medians are compared. Workers have started and computed a shard before the clock starts. A shard
convolves as often as takes about the given seconds on one idle core. 1.8 or more is wanted; the rest is memory and
caches that cores share, and the last shard, for which one worker waits. Needs two idle cores.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

from heatproof.runs.ray_workers import RayWorkers
from heatproof.runs.workers import Done

ROUND = 20  # convolutions between two looks at the clock


def convolve(times: int) -> None:
    """Some of a network's work on one image."""
    image, weights = torch.ones(1, 64, 56, 56), torch.ones(64, 64, 3, 3)
    with torch.inference_mode():
        for _ in range(times):
            torch.nn.functional.conv2d(image, weights, padding=1)


def worker(times: int) -> Callable[[int], None]:
    return lambda number: convolve(times)


def times_in(seconds: float) -> int:
    """How many convolutions one core makes in that time."""
    torch.set_num_threads(1)
    convolve(ROUND)
    start = time.perf_counter()
    convolve(ROUND)
    return max(1, round(ROUND * seconds / (time.perf_counter() - start)))


def seconds_of(make: Callable[[], Callable[[int], None]], count: int, shards: int) -> float:
    """How long so many workers take, once all of them have computed something; each shard must be done once."""
    seen: set[str] = set()
    done: list[Done] = []
    with RayWorkers(make, count=count) as workers:
        while len(seen) < count:
            workers.run(range(2 * count), lambda each: seen.add(each.worker))
        start = time.perf_counter()
        workers.run(range(shards), done.append)
        seconds = time.perf_counter() - start
    if sorted(each.number for each in done) != list(range(shards)) or any(each.error for each in done):
        raise RuntimeError("not every shard was done once")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a shard")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    make = partial(worker, times_in(given.seconds))
    measured: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(given.rounds):
        for count, seconds in measured.items():
            seconds.append(seconds_of(make, count, given.shards))
            print(f"workers: {count}   seconds: {seconds[-1]:.2f}", flush=True)
    print(f"two workers are {statistics.median(measured[1]) / statistics.median(measured[2]):.2f} × as fast as one")


if __name__ == "__main__":
    main()
