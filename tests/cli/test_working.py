"""Which workers the options ask for: with ``--device cuda`` each has one GPU."""

import pytest

from heatproof.cli.working import Working
from heatproof.errors import InputError


@pytest.mark.parametrize(("device", "gpus"), [("cuda", 1.0), ("cpu", 0.0), (None, None)])
def test_workers_on_ray_have_a_gpu_each_where_the_device_is_one(device, gpus):
    made = Working(on="ray", cores=2).maker(device)
    assert made.keywords == {"address": None, "count": None, "cores": 2, "gpus": gpus}


def test_a_worker_has_one_gpu_so_none_can_be_chosen():
    with pytest.raises(InputError, match="a worker on Ray has one GPU, which it calls cuda: give --device cuda, not"):
        Working(on="ray").maker("cuda:1")


def test_in_this_process_there_are_no_workers():
    assert Working().maker("cuda:1") is None
