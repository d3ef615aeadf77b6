"""Shards in this process: each number is delivered once, whatever a shard does."""

import pytest

from heatproof.errors import InputError
from heatproof.runs.workers import TRACEBACK_LINES, LocalWorkers, attempt, described


def results(workers, numbers):
    delivered = []
    workers.run(numbers, delivered.append)
    return delivered


def failing(exception, failures=10**6):
    """A ``make`` whose shards fail the given number of times; ``.calls`` has the numbers they were called with."""
    calls = []

    def shard(number):
        calls.append(number)
        if len(calls) <= failures:
            raise exception
        return -number

    def make():
        return shard

    make.calls = calls
    return make


def test_numbers_are_computed_in_order_by_one_function():
    made = []

    def make():
        made.append(True)
        return lambda number: number**2

    workers = LocalWorkers(make)
    done = results(workers, [3, 1, 2])
    assert [(d.number, d.value, d.error, d.tries) for d in done] == [(3, 9, None, 1), (1, 1, None, 1), (2, 4, None, 1)]
    assert all(d.seconds >= 0 and d.worker for d in done)
    results(workers, range(2))
    assert len(made) == 1


def test_nothing_is_made_for_nothing():
    assert results(LocalWorkers(lambda: pytest.fail("made")), []) == []


def test_with_ends_what_was_kept():
    made = []
    workers = LocalWorkers(lambda: made.append(True) or (lambda number: number))
    for _ in range(2):
        with workers:
            results(workers, [0, 1])
            results(workers, [2])
    assert len(made) == 2


def test_a_shard_that_fails_once_is_tried_again():
    make = failing(OSError("gone for a moment"), failures=1)
    (done,) = results(LocalWorkers(make, tries=2), [5])
    assert (done.value, done.error, done.tries, make.calls) == (-5, None, 2, [5, 5])


def test_a_shard_that_always_fails_ends_with_its_error_and_the_others_go_on():
    def shard(number):
        if number == 1:
            raise RuntimeError("poison")
        return number

    done = results(LocalWorkers(lambda: shard, tries=3), range(3))
    assert [(d.number, d.value, d.tries) for d in done] == [(0, 0, 1), (1, None, 3), (2, 2, 1)]
    assert done[1].error.startswith("RuntimeError: poison\n")
    assert 'raise RuntimeError("poison")' in done[1].error


def test_what_the_caller_can_mend_is_not_tried_again():
    make = failing(InputError("choose another"))
    (done,) = results(LocalWorkers(make, tries=5), [0])
    assert (done.tries, make.calls) == (1, [0])
    assert done.error.startswith("InputError: choose another")


def test_too_little_memory_is_an_error_like_others():
    (done,) = results(LocalWorkers(failing(MemoryError())), [0])
    assert done.error.startswith("MemoryError: memory ran out: end other programs")
    (done,) = results(LocalWorkers(failing(RuntimeError("DefaultCPUAllocator: can't allocate memory"))), [0])
    assert "can't allocate memory; memory ran out" in done.error


@pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit])
def test_who_stops_the_process_is_obeyed(exception):
    make = failing(exception())
    with pytest.raises(exception):
        results(LocalWorkers(make), range(3))
    assert make.calls == [0]


def test_what_is_raised_on_delivery_stops_the_run():
    computed = []

    def on_done(done):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        LocalWorkers(lambda: computed.append).run(range(3), on_done)
    assert computed == [0]


def test_an_error_of_make_is_passed_on():
    def make():
        raise InputError("no weights")

    with pytest.raises(InputError, match="no weights"):
        results(LocalWorkers(make), [0])


def test_errors_are_short_and_keep_no_frames():
    def deep(level):
        if level:
            deep(level - 1)
        raise ValueError("deep")

    error = attempt(deep, 50).error
    assert len(error.splitlines()) == 1 + TRACEBACK_LINES


def test_an_error_without_a_message_that_can_be_shown():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    assert described(Mute()) == "Mute: (its message cannot be shown)"


def test_a_shard_is_tried_at_least_once():
    with pytest.raises(InputError, match="at least once"):
        LocalWorkers(lambda: len, tries=0)
