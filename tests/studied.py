"""A small network and eleven pictures, for tests of studies."""

import numpy as np
import torch
from PIL import Image
from torch import nn

import heatproof as hp

PREPROCESSING = hp.Preprocessing(resize=20, crop=18)


def small_network():
    """A network with four classes for pictures of 18 x 18 pixels, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16 * 16, 4))
    return hp.Network(module, preprocessing=PREPROCESSING)


def draw_eleven(folder, broken):
    """Eleven pictures in a folder, and a file ``broken`` that is none."""
    generator = np.random.default_rng(0)
    for number in range(11):
        Image.fromarray(generator.integers(0, 256, (24, 22, 3), dtype=np.uint8)).save(folder / f"{number:02}.png")
    (folder / broken).write_bytes(b"no picture")
    return folder
