"""Who does what when workers die at random. Ray's part is played by a made one: thousands of deaths take a second."""

from collections import Counter, deque
from types import SimpleNamespace

import numpy as np
import pytest

from heatproof.errors import InputError
from heatproof.runs.ray_workers import IN_FLIGHT, Crew, _room
from heatproof.runs.workers import Attempt


class Died(Exception):
    pass


class FakeRay:
    """Actors that compute their calls in order; ``wait`` lets a random one finish, or die."""

    def __init__(self, seed, deaths=0.0, poison=(), failing=(), unmakeable=0, final=False):
        self.random = np.random.default_rng(seed)
        self.deaths, self.poison, self.failing = deaths, set(poison), set(failing)
        self.unmakeable, self.final = unmakeable, final
        self.exceptions = SimpleNamespace(RayActorError=Died)
        self.results = {}
        self.alive = set()
        self.most_in_flight = 0
        self.tries = Counter()

    def recruit(self, make, cores):
        actor = SimpleNamespace(queue=[])
        actor.start = SimpleNamespace(remote=lambda: self._call(actor, None))
        actor.compute = SimpleNamespace(remote=lambda number: self._call(actor, number))
        self.alive.add(id(actor))
        self.keep = [*getattr(self, "keep", []), actor]  # ids stay unique
        return actor

    def _call(self, actor, number):
        call = SimpleNamespace(actor=actor, number=number)
        actor.queue.append(call)
        self.most_in_flight = max(self.most_in_flight, len(actor.queue))
        reference = object()
        self.results[reference] = call
        return reference

    def wait(self, references, num_returns, timeout):
        assert references, "waits for nothing"
        reference = references[self.random.integers(len(references))]
        assert self.results[reference].actor.queue[0] is self.results[reference], "not the one that is computed"
        return [reference], []

    def get(self, reference):
        call = self.results.pop(reference)
        call.actor.queue.pop(0)
        if call.number is None and self.unmakeable:
            self.unmakeable -= 1
            return Attempt(None, "OSError: no weights", self.final, 0.1)
        if call.number is not None:
            self.tries[call.number] += 1
        if call.number in self.poison or self.random.random() < self.deaths:
            raise Died("connection error\n" * 1000)
        if call.number in self.failing:
            return Attempt(None, "ValueError: poison", False, 0.1)
        return Attempt(f"worker {id(call.actor)}" if call.number is None else -call.number, None, False, 0.1)

    def kill(self, actor, no_restart):
        assert no_restart
        self.alive.remove(id(actor))


def crew(ray, most=4, tries=3):
    return Crew(ray=ray, recruit=ray.recruit, make=b"", cores=1, most=most, tries=tries)


@pytest.mark.parametrize("deaths", [0.0, 0.1, 0.3])
def test_each_number_is_delivered_once_whoever_dies(deaths):
    for seed in range(60):
        ray = FakeRay(seed, deaths=deaths)
        workers = crew(ray, most=1 + seed % 5, tries=50)
        done = list(workers.compute(range(40)))
        assert sorted(d.number for d in done) == list(range(40))
        assert all(d.value == -d.number and d.error is None for d in done)
        assert {d.number: d.tries for d in done} == ray.tries
        assert ray.most_in_flight <= IN_FLIGHT
        assert len(ray.alive) <= workers.most
        workers.dismiss()
        assert not ray.alive


def test_who_kills_workers_is_set_aside_and_nobody_else_is_blamed():
    for seed in range(60):
        ray = FakeRay(seed, poison=[3, 17])
        done = {d.number: d for d in crew(ray).compute(range(30))}
        assert {number for number, d in done.items() if d.error} == {3, 17}
        assert {number: d.tries for number, d in done.items()} == {n: 3 if n in (3, 17) else 1 for n in range(30)}
        assert done[3].error.startswith("the worker died: connection error")
        assert len(done[3].error) < 1100


def test_who_always_fails_is_set_aside_and_kills_nobody():
    ray = FakeRay(0, failing=[5])
    done = {d.number: d for d in crew(ray).compute(range(10))}
    assert (done[5].error, done[5].tries) == ("ValueError: poison", 3)
    assert len(ray.keep) == 4


def test_no_more_workers_than_shards_and_more_for_the_next_run():
    ray = FakeRay(0)
    workers = crew(ray)
    list(workers.compute([1, 2]))
    assert len(ray.keep) == 2
    list(workers.compute(range(9)))
    assert len(ray.keep) == 4


@pytest.mark.parametrize(("waiting", "given"), [(1, [1, 0]), (3, [1, 1]), (4, [2, 1]), (5, [2, 2]), (9, [2, 2])])
def test_at_the_end_nobody_holds_what_another_could_do(waiting, given):
    ray = FakeRay(0)
    workers = crew(ray, most=2)
    list(workers.compute(range(20)))
    workers._feed(deque(range(waiting)))
    assert [len(member.calls) for member in workers.members] == given


def test_a_worker_that_cannot_start_is_replaced():
    ray = FakeRay(0, unmakeable=2)
    assert len(list(crew(ray).compute(range(10)))) == 10


@pytest.mark.parametrize(("final", "kind", "starts"), [(False, RuntimeError, 6), (True, InputError, 6)])
def test_when_none_can_start_the_reason_is_told(final, kind, starts):
    ray = FakeRay(0, unmakeable=10**6, final=final)
    workers = crew(ray)
    with pytest.raises(kind, match=r"could not be started.*no weights"):
        list(workers.compute(range(10)))
    assert len(ray.keep) <= starts
    assert not ray.alive


def test_room_counts_machines_one_by_one():
    machines = [
        {"Alive": True, "Resources": {"CPU": 7, "GPU": 2}},
        {"Alive": True, "Resources": {"CPU": 3}},
        {"Alive": False, "Resources": {"CPU": 64, "GPU": 8}},
    ]
    ray = SimpleNamespace(nodes=lambda: machines)
    assert _room(ray, 2, None) == (1.0, 2)
    assert _room(ray, 2, 0) == (0, 4)
    assert _room(ray, 2, 0.5) == (0.5, 3)
    assert _room(ray, 9, 0) == (0, 0)
    assert _room(SimpleNamespace(nodes=lambda: machines[1:]), 1, None) == (0.0, 3)
