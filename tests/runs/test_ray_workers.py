"""Workers on a real Ray: the same values as in one process, whatever dies."""

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from heatproof.errors import InputError
from heatproof.runs.ray_session import _join
from heatproof.runs.ray_workers import RayWorkers
from heatproof.runs.workers import LocalWorkers

INSTALLED = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not INSTALLED, reason='Ray is not installed: pip install "heatproof[ray]"')


def results(workers, numbers):
    delivered = []
    workers.run(numbers, delivered.append)
    assert Counter(d.number for d in delivered) == Counter(numbers)
    return {d.number: d for d in delivered}


def until(condition, seconds=60):
    """What ``condition`` returns as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def processes():
    """Process numbers and their parents."""
    parents = {}
    for folder in Path("/proc").iterdir():
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (ValueError, OSError):
            continue
    return parents


def below(process):
    """All processes that ``process`` started, and those that they started."""
    parents = processes()
    found, new = set(), {process}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def command_of(process):
    """The command line of a process."""
    return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")


def listening(numbers):
    """Addresses on which processes listen for TCP, as /proc writes them."""
    sockets = set()
    for number in numbers:
        try:
            sockets |= {str(link.readlink()) for link in Path(f"/proc/{number}/fd").iterdir()}
        except OSError:
            continue
    found = []
    for table in ("tcp", "tcp6"):
        rows = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
        found += [row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]
    return found


class Bench:
    """Two workers, kept for many tests, since each takes seconds to import torch."""

    def __init__(self, folder):
        self.functions = folder / "functions"
        path = str(self.functions)

        def make():
            from pathlib import Path

            from ray import cloudpickle

            return lambda number: cloudpickle.loads(Path(path).read_bytes())(number)

        self.workers = RayWorkers(make, count=2, tries=3)

    def run(self, function, numbers, on_done=None):
        from ray import cloudpickle

        self.functions.write_bytes(cloudpickle.dumps(function))
        if on_done is None:
            return results(self.workers, numbers)
        return self.workers.run(numbers, on_done)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("bench"))
    with bench.workers:
        until(lambda: len({d.worker for d in bench.run(lambda number: time.sleep(0.1), range(4)).values()}) == 2)
        yield bench


@needs_ray
def test_values_are_those_of_one_process_in_whatever_order_they_come(bench):
    def shard(number):
        import time

        import numpy as np

        time.sleep(0.05 * (number % 3))
        return {"scores": np.random.default_rng(number).normal(size=(32, 101)), "names": [f"image {number}"]}

    numbers = [*range(10, 0, -1), 500]
    here, there = results(LocalWorkers(lambda: shard), numbers), bench.run(shard, numbers)
    for number in numbers:
        assert there[number].value["scores"].tobytes() == here[number].value["scores"].tobytes()
        assert there[number].value["names"] == here[number].value["names"]
        assert (there[number].error, there[number].tries) == (None, 1)
        assert there[number].seconds >= 0.05 * (number % 3)
    assert len({d.worker for d in there.values()}) == 2
    assert here[1].worker not in {d.worker for d in there.values()}


@needs_ray
def test_shards_that_fail_are_tried_again_and_set_aside_with_the_same_error(bench):
    def shard(number):
        from heatproof.errors import InputError

        if number == 3:
            raise InputError("choose another")
        if number == 5:
            raise MemoryError
        if number == 7:
            return lambda: (number for _ in ())  # can be sent
        if number == 8:
            return (number for _ in ())  # cannot
        return number

    here, there = results(LocalWorkers(lambda: shard), range(8)), bench.run(shard, range(9))
    assert {number: d.tries for number, d in there.items() if d.error} == {3: 1, 5: 3, 8: 3}
    for number in (3, 5):
        assert there[number].error.splitlines()[0] == here[number].error.splitlines()[0]
    assert "pickle" in there[8].error


@needs_ray
def test_no_more_than_two_shards_for_each_worker_are_ahead_of_what_is_delivered(bench, tmp_path):
    folder = str(tmp_path)

    def shard(number):
        from pathlib import Path

        Path(folder, str(number)).touch()

    ahead, delivered = [], 0

    def on_done(done):
        nonlocal delivered
        delivered += 1
        time.sleep(0.2)
        ahead.append(len(list(tmp_path.iterdir())) - delivered)

    bench.run(shard, range(20), on_done)
    assert delivered == 20
    assert max(ahead) <= 2 * 2
    assert max(ahead) > 0


@needs_ray
def test_threads_are_the_cores_that_a_worker_has(bench):
    def shard(number):
        import torch

        return torch.get_num_threads()

    assert {d.value for d in bench.run(shard, range(4)).values()} == {1}


@needs_ray
def test_a_ray_of_our_own_listens_on_loopback_only_and_leaves_the_environment_alone(bench):
    bench.run(lambda number: number, [0])
    addresses = set(listening(below(os.getpid())))
    assert addresses
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert not {"RAY_AUTH_TOKEN", "RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED"} & set(os.environ)


@needs_ray
@pytest.mark.slow
def test_a_process_that_imported_ray_before_is_told():
    script = """
import ray
from heatproof import InputError
from heatproof.runs.ray_workers import RayWorkers
try:
    with RayWorkers(lambda: str):
        print("it works")
except InputError as error:
    print("told:", error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "told: Ray was imported before heatproof could give it a secret" in done.stdout


@needs_ray
def test_a_killed_worker_has_its_shards_done_elsewhere(bench, tmp_path):
    """Kills the process in mid-shard; the shard that waited behind it has lost no try."""
    file = str(tmp_path / "process")

    def shard(number):
        import os
        import time
        from pathlib import Path

        if number == 3 and not Path(file).exists():
            Path(file + ".new").write_text(str(os.getpid()))
            Path(file + ".new").rename(file)
            time.sleep(100)
        return number

    def kill():
        until(Path(file).exists)
        os.kill(int(Path(file).read_text()), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    done = bench.run(shard, range(12))
    thread.join()
    assert {number: d.value for number, d in done.items()} == {number: number for number in range(12)}
    assert {number: d.tries for number, d in done.items()} == {number: 1 + (number == 3) for number in range(12)}
    assert not done[3].worker.endswith(":" + Path(file).read_text())


@needs_ray
@pytest.mark.slow
def test_what_is_raised_on_delivery_stops_the_run_and_another_one_can_follow(bench):
    def on_done(done):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        bench.run(lambda number: number, range(10), on_done)
    assert len(bench.run(lambda number: number, range(3))) == 3


@needs_ray
@pytest.mark.slow
def test_a_shard_that_kills_workers_is_set_aside(bench):
    def shard(number):
        import os

        if number == 2:
            os.abort()
        return number

    done = bench.run(shard, range(8))
    assert {number: d.tries for number, d in done.items()} == {number: 3 if number == 2 else 1 for number in range(8)}
    assert done[2].error.startswith("the worker died")
    assert [number for number, d in done.items() if d.error] == [2]


@needs_ray
@pytest.mark.slow
def test_workers_that_cannot_start_tell_why(bench):
    """In the Ray that the bench has started, as any that this process is connected to would be used."""

    def no_weights():
        from heatproof.errors import InputError

        raise InputError("no weights here")

    def no_idea():
        raise KeyError("idea")

    with pytest.raises(InputError, match="no weights here"):
        RayWorkers(no_weights, count=1, tries=1).run([1], print)
    with pytest.raises(RuntimeError, match="KeyError: 'idea'"):
        RayWorkers(no_idea, count=1, tries=2).run([1], print)
    assert bench.workers._crew.ray.is_initialized()


SCRIPT = """
import os, sys, time
from heatproof.runs.ray_session import _join
from heatproof.runs.ray_workers import RayWorkers

def make():
    def shard(number):
        time.sleep(0.2 if number < 2 else 100)
    return shard

RayWorkers(make, count=2).run(range(10), lambda done: print("done", flush=True))
"""


@pytest.fixture
def main_process():
    """Another process that has Ray and two busy workers, in a process group of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", SCRIPT], start_new_session=True, **pipes) as main:
        try:
            assert main.stdout.readline() == "done\n", main.stderr.read()
            yield main
        finally:
            main.kill()


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_main_process_that_is_stopped(how, main_process):
    """Ctrl-C reaches the whole process group, as in a terminal; SIGKILL only the main process, which cannot tidy up.

    Then Ray's agents notice by themselves that they are alone, after more than a minute.
    """
    commands = {number: command_of(number) for number in below(main_process.pid)}
    started = {number for number, command in commands.items() if how != signal.SIGKILL or "Agent" not in command}
    assert sum("ray::_Worker" in command for command in commands.values()) >= 1
    (folder,) = {Path(found) for found in re.findall("/[^ ]*/heatproof-ray-[^/ ]+", " ".join(commands.values()))}
    assert folder.stat().st_mode & 0o77 == 0
    (os.killpg if how == signal.SIGINT else os.kill)(main_process.pid, how)
    errors = main_process.communicate(timeout=60)[1]
    until(lambda: not started & set(processes()))
    assert ("KeyboardInterrupt" in errors) == (how == signal.SIGINT)
    assert folder.exists() == (how == signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


CLUSTER = """
import sys, time
from ray.cluster_utils import Cluster
from heatproof.runs.ray_session import _join
from heatproof.runs.ray_workers import RayWorkers

def make():
    import os, ray
    def shard(number):
        time.sleep(0.3)
        return number, ray.get_runtime_context().get_node_id()
    return shard

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
other = cluster.add_node(num_cpus=1)
done = []

def on_done(result):
    done.append(result)
    nodes = {d.value[1] for d in done}
    if len(nodes) == 2 and other in cluster.list_all_nodes():
        cluster.remove_node(other, allow_graceful=False)

RayWorkers(make, address=cluster.address).run(range(30), on_done)
cluster.shutdown()
assert sorted(d.number for d in done) == list(range(30))
assert all(d.value[0] == d.number and d.error is None for d in done)
assert len({d.value[1] for d in done}) == 2
assert sorted({d.tries for d in done}) in ([1], [1, 2])
print("tries", sum(d.tries for d in done))
"""


@needs_ray
@pytest.mark.slow
def test_a_machine_that_goes_has_its_shards_done_by_others():
    ended = subprocess.run([sys.executable, "-c", CLUSTER], capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stderr
    assert "tries 3" in ended.stdout


@needs_ray
@pytest.mark.parametrize("wrong", [{"cores": 0}, {"count": 0}, {"gpus": -1}, {"tries": 0}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError, match="at least on"):
        RayWorkers(lambda: len, **wrong)


@needs_ray
def test_a_process_has_one_ray(bench):
    with pytest.raises(InputError, match="leave out the address"):
        RayWorkers(lambda: len, address="127.0.0.1:6379").run([1], print)
    assert len(bench.run(lambda number: number, [0])) == 1


def test_where_nobody_listens_no_ray_is_joined():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(InputError, match="ray start --head"):
            _join(SimpleNamespace(), f"127.0.0.1:{taken.getsockname()[1]}", logs=False)


def test_without_ray_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "heatproof\[ray\]"'):
        RayWorkers(lambda: len)
