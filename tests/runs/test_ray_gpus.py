"""On a Ray with GPUs each worker has one of its own."""

import importlib
import importlib.util
import time

import pytest

from heatproof.runs.ray_session import _confined, _environment
from heatproof.runs.ray_workers import RayWorkers

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason='Ray is not installed: pip install "heatproof[ray]"'
)


@needs_ray
def test_each_worker_has_a_gpu_of_its_own_and_there_are_as_many_as_gpus():
    """Ray takes our word that there are two; what a worker may see of them, its environment says."""

    def make():
        import os

        return lambda number: (time.sleep(0.2), os.environ.get("CUDA_VISIBLE_DEVICES"))[1]

    with _environment(_confined()):  # Ray reads a secret once in a process, when it is imported
        ray = importlib.import_module("ray")
        ray.init("local", num_cpus=6, num_gpus=2, include_dashboard=False, log_to_driver=False, logging_level=40)
    found = []
    try:
        with RayWorkers(make, gpus=1) as workers:
            workers.run(range(8), found.append)
            assert workers._crew.most == 2
    finally:
        ray.shutdown()
    assert sorted(done.number for done in found) == list(range(8))
    assert sorted({done.value for done in found}) == ["0", "1"]
    assert len({(done.worker, done.value) for done in found}) == 2
