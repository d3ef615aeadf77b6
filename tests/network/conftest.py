import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))  # small_networks, lrp_rules


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Two threads on cores that others use too wait for each other: 30 s instead of 0.1 s for a depthwise network."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
