"""Real networks and photographs beside the checkout; a test that asks for one is skipped where it is not there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import heatproof as hp

SHARED = Path(__file__).parents[2].parent / "shared"
WEIGHTS, PHOTOGRAPHS = SHARED / "weights", SHARED / "data" / "ilsvrc2012-sample" / "images"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NETWORKS = {
    "squeezenet1_0": hp.Preprocessing(resize=(256, 256), crop=227, mean=MEAN, std=STD),
    "resnet18": hp.Preprocessing(resize=256, crop=224, mean=MEAN, std=STD),
    "resnet50": hp.Preprocessing(resize=256, crop=224, mean=MEAN, std=STD),
    "mobilenetv2": hp.Preprocessing(resize=256, crop=224, mean=(128 / 255,) * 3, std=(128 / 255,) * 3),
}


def network(name):
    """The network of a name; ``network.module`` is a copy that a test may change."""
    weights = WEIGHTS / f"{name}_imagenet.safetensors"
    if not weights.is_file():
        pytest.skip(f"needs the real weights {weights}")
    source = f"torchvision:{name}" if name != "mobilenetv2" else f"{WEIGHTS / 'models.py'}:mobilenetv2_tf"
    return hp.load_network(source, weights=weights, preprocessing=NETWORKS[name])


def photographs(preprocessing, count):
    """The first ``count`` photographs, as the network takes them: (count, 3, H, W) in [0, 1]."""
    if not PHOTOGRAPHS.is_dir():
        pytest.skip(f"needs the photographs of {PHOTOGRAPHS}")
    pictures = [Image.open(path).convert("RGB") for path in sorted(PHOTOGRAPHS.iterdir())[:count]]
    pixels = [np.asarray(preprocessing.fit(picture), dtype=np.float32) / 255 for picture in pictures]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
