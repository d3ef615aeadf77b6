"""Trains a small network on CIFAR-10 and keeps checkpoints from guessing to knowing.

They are what ``heatproof assess`` wants to see: one topology, getting better. The network is convolutional, or a vision
transformer with a convolutional stem, which takes longer.

    python examples/train_cifar10.py --train train.parquet --test test.parquet --out run
    python examples/train_cifar10.py --network transformer --epochs 15 --rate 1e-3 --train …

The data are Parquet tables with the columns ``image`` (bytes of a picture, 32 × 32) and ``label`` (0 … 9). The network
gets pixels in [0, 1], minus 0.5, divided by 0.25: ``heatproof assess … --mean .5,.5,.5 --std .25,.25,.25``.
"""

import argparse
import io
import json
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from torchvision.models.vision_transformer import ConvStemConfig, VisionTransformer

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCH = 128


def convolutional() -> nn.Module:
    """Three convolutions with ReLU and max-pooling, then two dense layers; for images (B, 3, 32, 32)."""

    def convolution(before: int, after: int) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        *convolution(3, 32),
        *convolution(32, 64),
        *convolution(64, 128),
        nn.Flatten(),
        nn.Linear(128 * 4 * 4, 256),
        nn.ReLU(),
        nn.Linear(256, len(CLASSES)),
    )


def transformer() -> nn.Module:
    """Two convolutions make 8 × 8 tokens, then a class token and four blocks; for images (B, 3, 32, 32).

    Convolutions instead of patches make it learn in a few epochs (Xiao et al., NeurIPS 2021).
    """
    module = VisionTransformer(
        image_size=32,
        patch_size=4,
        num_layers=4,
        num_heads=4,
        hidden_dim=128,
        mlp_dim=256,
        num_classes=len(CLASSES),
        conv_stem_configs=[ConvStemConfig(64, kernel_size=3, stride=2), ConvStemConfig(128, kernel_size=3, stride=2)],
    )
    nn.init.trunc_normal_(module.heads.head.weight, std=0.02)  # torchvision begins with zeros
    return module


NETWORKS = {"convolutional": convolutional, "transformer": transformer}


def read(table: Path, cache: Path) -> tuple[Tensor, Tensor]:
    """Pixels (N, 3, 32, 32) uint8 and labels (N,) of a table; decoded once, then read from the cache."""
    frame = pl.read_parquet(table, columns=["image", "label"])
    decoded = cache / f"{table.stem}.npy"
    if not decoded.exists():
        pictures = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in frame["image"]]
        cache.mkdir(parents=True, exist_ok=True)
        np.save(decoded, np.stack(pictures).transpose(0, 3, 1, 2))
    return torch.from_numpy(np.load(decoded)), frame["label"].to_torch()


def normalised(pixels: Tensor) -> Tensor:
    """What the network gets, of pixels (B, 3, 32, 32) uint8."""
    return ((pixels.float() / 255 - 0.5) / 0.25).contiguous(memory_format=torch.channels_last)


def augmented(pixels: Tensor, draws: torch.Generator) -> Tensor:
    """Each picture of (B, 3, 32, 32) mirrored or not, and the batch moved by up to two pixels."""
    mirrored = torch.rand(len(pixels), generator=draws) < 0.5
    pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
    top, left = torch.randint(5, (2,), generator=draws).tolist()
    return pad(pixels, (2, 2, 2, 2))[:, :, top : top + 32, left : left + 32]


@torch.inference_mode()
def accuracy(module: nn.Module, pixels: Tensor, labels: Tensor) -> float:
    """The share of pictures that are classified right."""
    predicted = torch.cat([module(normalised(batch)).argmax(dim=1) for batch in pixels.split(250)])
    return (predicted == labels).double().mean().item()


def main() -> None:
    """Trains, and writes ``step00031.safetensors`` and so on, in steps that grow geometrically."""
    given = arguments()
    torch.manual_seed(given.seed)
    draws = torch.Generator().manual_seed(given.seed)
    pixels, labels = read(given.train, given.cache or given.out)
    test = read(given.test, given.cache or given.out)
    per_epoch = len(pixels) // BATCH
    steps = given.epochs * per_epoch
    kept = {round(float(step)) for step in np.geomspace(given.first, steps, given.checkpoints)}

    module = NETWORKS[given.network]().to(memory_format=torch.channels_last)
    if given.begin:
        module.load_state_dict(load_file(given.begin))
    optimizer = torch.optim.AdamW(module.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, given.rate, total_steps=steps, pct_start=0.2)
    given.out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    for step in range(1, steps + 1):
        if step % per_epoch == 1:
            epoch = torch.randperm(len(pixels), generator=draws).split(BATCH)
        chosen = epoch[(step - 1) % per_epoch]
        loss = cross_entropy(module(normalised(augmented(pixels[chosen], draws))), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step in kept:
            right = accuracy(module.eval(), *test)
            module.train()
            save(module, given.out / f"step{step:05d}.safetensors")
            seconds = time.perf_counter() - started
            print(f"step {step:5d} of {steps}  loss {loss:.3f}  accuracy {right:.1%}  {seconds:4.0f} s", flush=True)


def save(module: nn.Module, file: Path) -> None:
    """Weights with the names of the classes."""
    weights = {name: value.contiguous() for name, value in module.state_dict().items()}
    save_file(weights, file, metadata={"classes": json.dumps(CLASSES)})


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="table of training pictures")
    parser.add_argument("--test", type=Path, required=True, help="table of pictures to measure the accuracy on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoints")
    parser.add_argument("--network", choices=NETWORKS, default="convolutional", help="(default convolutional)")
    parser.add_argument("--begin", type=Path, help="weights to go on from (default: random ones)")
    parser.add_argument("--cache", type=Path, help="folder for decoded pictures (default: --out)")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights and the order of pictures")
    parser.add_argument("--epochs", type=int, default=8, help="passes over the training pictures (default 8)")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate (default 0.002)")
    parser.add_argument("--checkpoints", type=int, default=16, help="how many to keep (default 16)")
    parser.add_argument("--first", type=int, default=30, help="step of the first checkpoint (default 30)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
