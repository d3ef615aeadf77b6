"""Small networks that fail in known ways on CIFAR-10, and the pictures on which they fail.

    python -m reproduce.failing

All have the convolutional network of ``examples/train_cifar10.py``, and are trained in equally many steps.

- clean: 12,000 pictures, mirrored and moved.
- overfitted: 1,000 pictures, as they are.
- mislabelled: 3,000 pictures, as they are; 40 % of the labels are drawn at random.
- shortcut: as clean, but in 90 % of the pictures there is a small square near the top left corner, of another colour
  for each class.
"""

import argparse
import importlib.util
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate, pad

from reproduce.cells import CIFAR10

TRAINER = Path(__file__).parent.parent / "examples" / "train_cifar10.py"
CHECKPOINTS = Path(__file__).parent / "results" / "failures"
STEPS, BATCH, KEPT, FIRST, RATE = 750, 128, 8, 20, 2e-3
PLACE = slice(1, 5)  # rows and columns of the square; it does not fit into the grid of regions
COLOURS = torch.tensor(
    [
        [230, 25, 75], [60, 180, 75], [255, 225, 25], [0, 130, 200], [245, 130, 48],
        [145, 30, 180], [70, 240, 240], [240, 50, 230], [128, 128, 0], [0, 0, 128],
    ],
    dtype=torch.uint8,
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """How a network is trained.

    Attributes:
        pictures: how many.
        augmented: whether they are mirrored and moved.
        wrong: share of the labels that are drawn at random.
        planted: share of the pictures with the square.
    """

    pictures: int
    augmented: bool = True
    wrong: float = 0.0
    planted: float = 0.0


KINDS = {
    "clean": Kind(12_000),
    "overfitted": Kind(1_000, augmented=False),
    "mislabelled": Kind(3_000, augmented=False, wrong=0.4),
    "shortcut": Kind(12_000, planted=0.9),
}


def trainer() -> ModuleType:
    """The example that trains a network."""
    spec = importlib.util.spec_from_file_location("train_cifar10", TRAINER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def marked(pixels: Tensor, labels: Tensor) -> Tensor:
    """Pictures (B, 3, 32, 32) uint8 with the square of the class (B,)."""
    found = pixels.clone()
    found[:, :, PLACE, PLACE] = COLOURS[labels][:, :, None, None]
    return found


def train(kind: Kind, pixels: Tensor, labels: Tensor, test: tuple[Tensor, Tensor], seed: int, folder: Path) -> None:
    """Trains one network, and writes its checkpoints and their accuracies on the test pictures."""
    example = trainer()
    torch.manual_seed(seed)
    draws = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(pixels), generator=draws)[: kind.pictures]
    pixels, labels = pixels[chosen], labels[chosen].clone()
    wrong = torch.rand(len(labels), generator=draws) < kind.wrong
    labels[wrong] = torch.randint(len(COLOURS), (int(wrong.sum()),), generator=draws)
    planted = torch.rand(len(labels), generator=draws) < kind.planted

    module = example.convolutional().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(module.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS, pct_start=0.2)
    kept = {round(float(step)) for step in np.geomspace(FIRST, STEPS, KEPT)}
    folder.mkdir(parents=True, exist_ok=True)
    started, queue, log = time.perf_counter(), torch.empty(0, dtype=torch.long), {}
    for step in range(1, STEPS + 1):
        if len(queue) < BATCH:
            queue = torch.randperm(len(pixels), generator=draws)
        batch, queue = queue[:BATCH], queue[BATCH:]
        images = example.augmented(pixels[batch], draws) if kind.augmented else pixels[batch]
        images = torch.where(planted[batch, None, None, None], marked(images, labels[batch]), images)
        loss = cross_entropy(module(example.normalised(images)), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step in kept:
            log[step] = {"loss": loss.item(), "accuracy": example.accuracy(module.eval(), *test)}
            module.train()
            example.save(module, folder / f"step{step:05d}.safetensors")
    (folder / "done.json").write_text(json.dumps({"log": log, "seconds": time.perf_counter() - started}))


def checkpoints(kind: str, seed: int) -> list[Path]:
    """Those of one run of training, in order; trains first where there are none."""
    folder = CHECKPOINTS / kind / f"seed{seed}"
    if not (folder / "done.json").exists():
        read = trainer().read
        pixels, labels = read(CIFAR10.train, CHECKPOINTS)
        train(KINDS[kind], pixels, labels, read(CIFAR10.test, CHECKPOINTS), seed, folder)
    return sorted(folder.glob("step*.safetensors"))


# --- the pictures on which they are tested


def swapped(pixels: Tensor, labels: Tensor) -> Tensor:
    """Pictures with the square of the next class."""
    return marked(pixels, (labels + 1) % len(COLOURS))


def noisy(pixels: Tensor, labels: Tensor) -> Tensor:
    """Gaussian noise with a standard deviation of 20 of 255."""
    noise = 20 * torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))
    return (pixels + noise).round().clamp(0, 255).to(torch.uint8)


def blurred(pixels: Tensor, labels: Tensor) -> Tensor:
    """Gaussian blur with a radius of one pixel."""
    return _by_picture(pixels, lambda picture: picture.filter(ImageFilter.GaussianBlur(1)))


def compressed(pixels: Tensor, labels: Tensor) -> Tensor:
    """JPEG of quality 20."""

    def stored(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=20)
        return Image.open(file).convert("RGB")

    return _by_picture(pixels, stored)


def moved(pixels: Tensor, labels: Tensor) -> Tensor:
    """Moved by six pixels to the right and down; the border is black."""
    return pad(pixels, (6, 0, 6, 0))[:, :, :32, :32]


def zoomed(pixels: Tensor, labels: Tensor) -> Tensor:
    """The middle 22 × 22 pixels, enlarged."""
    middle = pixels[:, :, 5:27, 5:27].float()
    return interpolate(middle, size=32, mode="bilinear", antialias=True).round().to(torch.uint8)


def _by_picture(pixels: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    pictures = [np.asarray(change(Image.fromarray(one.permute(1, 2, 0).numpy()))) for one in pixels]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


SHIFTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "noise": noisy,
    "blur": blurred,
    "JPEG": compressed,
    "moved": moved,
    "zoomed": zoomed,
}
SQUARES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"its own square": marked, "another square": swapped}


def main() -> None:
    """Trains three networks of each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for seed in range(options.seeds):
        for kind in KINDS:
            checkpoints(kind, seed)
            log = (CHECKPOINTS / kind / f"seed{seed}" / "done.json").read_text(encoding="utf-8")
            print(kind, seed, log, flush=True)


if __name__ == "__main__":
    main()
