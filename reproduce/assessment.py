"""Figure 7: the quality of a network, told without labels."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import heatproof as hp
from reproduce.cells import CIFAR10, Size
from reproduce.results import Result

IMAGES = 300
STEPS = 10  # of 64 regions of 4 × 4 pixels: 15.6 % of the image, as much as the paper's 100 of 9 × 9
TRAINER = Path(__file__).parent.parent / "examples" / "train_cifar10.py"
CHECKPOINTS = Path(__file__).parent / "results" / "cifar10"
PAPER = "over 200 … 5000 iterations of training on CIFAR-10 the AOPC curve rises with the accuracy (45 % to 75 %)."


def run(size: Size) -> Iterator[Result]:
    """Trains where there are no checkpoints yet; then one table and figure for each run of training."""
    result = Result("figure7", "Figure 7: AOPC and accuracy over training", PAPER)
    if CIFAR10.missing:
        result.text.append(CIFAR10.missing)
        yield result
        return
    train, test = CIFAR10
    preprocessing = hp.Preprocessing(mean=(0.5,) * 3, std=(0.25,) * 3)
    network = hp.load_network(f"{TRAINER}:convolutional", preprocessing=preprocessing)
    pictures = hp.load_dataset(f"parquet:{test}", network, count=IMAGES)
    for seed in range(size.seeds):
        checkpoints = _checkpoints(train, test, seed)
        study = hp.assess(
            network, checkpoints, pictures.images, labels=pictures.labels, regions=4, steps=STEPS,
            names=pictures.names,
        )  # fmt: skip
        result.add(
            f"Run {seed}: {len(checkpoints)} checkpoints, {len(pictures.names)} lossless test images", study.table()
        )
        result.add("Rank correlation with the accuracy", study.correlations())
        result.text.append(" ".join(study.verdict))
        result.figures[f"run-{seed}"] = study.training_figure()
    yield result


def _checkpoints(train: Path, test: Path, seed: int) -> list[Path]:
    """Those of one run of training, in order; trains first where there are none."""
    folder = CHECKPOINTS / f"seed{seed}"
    if not (folder / "done").exists():
        command = [sys.executable, TRAINER, "--train", train, "--test", test, "--out", folder, "--seed", str(seed)]
        subprocess.run([*map(str, command), "--cache", str(CHECKPOINTS)], check=True)
        (folder / "done").touch()
    return sorted(folder.glob("step*.safetensors"))
