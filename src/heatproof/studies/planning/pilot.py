"""A pilot: some images, two repeats, all steps. From it the variance components of a comparison are estimated."""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
import torch

from heatproof.errors import InputError
from heatproof.heatmaps.explaining import Explained
from heatproof.measures.components import Components, components, drops_of
from heatproof.perturbation import Curves, perturb_orders
from heatproof.results.headline import proper_methods
from heatproof.results.part import REFERENCE, Key
from heatproof.studies.racing import at_random
from heatproof.studies.task import Task

PILOT_REPEATS = 2


@dataclass(frozen=True)
class Pilot:
    """What a pilot found.

    Attributes:
        drops: (n, T, L + 1) score lost after each step, by method and for the random order; in a symmetric comparison
            by how much more is lost with the most relevant first than with the least relevant first.
        reshuffled: the same with ties of relevance broken by another shuffle.
        evaluations: of the network, that it took.
        seconds: that it took.
        symmetric: whether both orders are compared with each other, and not with the random order.
    """

    drops: Mapping[str, np.ndarray]
    reshuffled: Mapping[str, np.ndarray]
    evaluations: int
    seconds: float
    symmetric: bool = False

    @property
    def methods(self) -> list[str]:
        """All but the random order."""
        return [name for name in self.drops if name != REFERENCE]

    @property
    def images(self) -> int:
        """How many there were."""
        return len(self.drops[REFERENCE])

    @property
    def steps(self) -> int:
        """L, all of which were scored."""
        return int(self.drops[REFERENCE].shape[2]) - 1

    @cached_property
    def alone(self) -> dict[str, Components]:
        """Variance components of each method's AOPC, and of that of the random order."""
        return {name: components(self.drops[name], self.reshuffled[name]) for name in self.drops}

    @cached_property
    def above_random(self) -> dict[str, Components]:
        """Variance components of each method's AOPC minus that of the random order, or of its ABPC."""
        if self.symmetric:
            return {name: self.alone[name] for name in self.methods}
        return {name: self._difference(name, REFERENCE) for name in self.methods}

    @cached_property
    def between(self) -> dict[tuple[str, str], Components]:
        """Variance components of the difference between each two methods."""
        return {(one, other): self._difference(one, other) for one, other in combinations(self.methods, 2)}

    def _difference(self, one: str, other: str) -> Components:
        return components(self.drops[one] - self.drops[other], self.reshuffled[one] - self.reshuffled[other])


def run_pilot(task: Task, images: int, *, symmetric: bool = False) -> Pilot:
    """A pilot on so many of the task's images, drawn at random, or on all if there are fewer.

    In a symmetric comparison its controls are left out: they are as uncertain as methods are.
    """
    if min(images, len(task.images)) < 2:
        raise InputError(
            f"a pilot needs at least two images, to see how they differ; got {len(task.images)} and pilot = {images}"
        )
    started = time.perf_counter()
    few = replace(_chosen(task, images), lerf=symmetric)
    if symmetric:
        few = few.among([*proper_methods(few.names), REFERENCE])
    found: dict[Key, list[Curves]] = defaultdict(list)
    again: dict[Key, list[Curves]] = defaultdict(list)
    evaluations = 0
    for part, batch in few.explained():
        curves, others, count = _perturbed(few, part, batch)
        for key, curve in curves.items():
            found[key].append(curve)
            again[key].append(others.get(key, curve))
        evaluations += count
    return Pilot(_drops(found), _drops(again), evaluations, time.perf_counter() - started, symmetric)


def _chosen(task: Task, images: int) -> Task:
    """Some of the images, with the repeats of a pilot and all steps scored."""
    seed = task.protocol.seed
    drawn = at_random(task.identities, seed=seed, purpose="pilot")[:images]
    return replace(
        task.of_images(sorted(drawn)),
        protocol=replace(task.protocol, repeats=PILOT_REPEATS, scored=None),
    )


def _perturbed(task: Task, part: slice, batch: Explained) -> tuple[dict[Key, Curves], dict[Key, Curves], int]:
    """Curves of a batch, by method and order; those that change with another shuffle of ties; how many evaluations."""
    local, ids = replace(task.protocol, regions=task.regions[part]), task.identities[part]
    orders = task.orders(batch.heatmaps, part)
    shuffled = replace(task, protocol=replace(task.protocol, seed=task.protocol.seed + 1)).orders(batch.heatmaps, part)
    named = [key for key in orders if key[0] != REFERENCE]
    tied = {key: shuffled[key] for key in named if not torch.equal(shuffled[key], orders[key])}
    curves, others = (
        perturb_orders(task.network, task.images[part], chosen, batch.asked, local, ids) if chosen else {}
        for chosen in (orders, tied)
    )
    sequences = (len(orders) + len(tied)) * task.protocol.repeats
    return curves, others, len(ids) * (1 + bool(tied) + sequences * task.scored)


def _drops(parts: Mapping[Key, list[Curves]]) -> dict[str, np.ndarray]:
    """Score lost by name; less what is lost with the least relevant first, if that was tried."""
    found = {key: np.concatenate([drops_of(part) for part in curves]) for key, curves in parts.items()}
    return {
        name: drops - found[name, "lerf"] if (name, "lerf") in found else drops
        for (name, order), drops in found.items()
        if order != "lerf"
    }
