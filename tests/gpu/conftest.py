"""The device that tests marked ``gpu`` compare with the CPU: a GPU, or the CPU itself for a rehearsal."""

import os

import pytest
import torch


@pytest.fixture(scope="session")
def device():
    wanted = os.environ.get("HEATPROOF_DEVICE", "cuda")
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device; HEATPROOF_DEVICE=cpu rehearses these tests on the CPU")
    return wanted
