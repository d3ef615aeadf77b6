"""How many steps to score: what fewer add to the variance of ABPC, and how long a standard error then takes.

    python benchmarks/bench_scored.py SHARED [--networks resnet18 …] [--images 12]

SHARED is the folder with data and weights; networks whose files are missing are passed over. A pilot under
``coarse-blur`` scores all 64 steps of each method and of the random order, in two repeats. From it follows, for each
method and each difference of two, the variance of an image's ABPC with K steps, one drawn in each of K strata, in units
of that with all of them: the least and the largest are shown. Seconds of heatmaps and of trajectories are measured.
*Time* is that to the same standard error, in units of the best K: images in proportion to the variance (the median of
all differences), each for its heatmaps and trajectories.
"""

import argparse
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tables import Results

import heatproof as hp
from heatproof.data import open_dataset, read_pictures
from heatproof.measures.components import Components
from heatproof.options.studies import PlanArguments
from heatproof.studies.compare import wanted_curves
from heatproof.studies.planning.costs import measure_costs
from heatproof.studies.planning.pilot import run_pilot
from heatproof.studies.task import Task

METHODS = ("lrp-epsilon-gamma-box", "gradient-x-input", "sensitivity-l2")
OF_CAFFE = hp.Preprocessing(resize=(256, 256), crop=227, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
OF_CIFAR = hp.Preprocessing(mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010))
IMAGENET, CIFAR = "folder:{data}/ilsvrc2012-sample/images", "parquet:{data}/cifar10/test1000-lossless.parquet"
NETWORKS: dict[str, tuple[str, str, Any, str]] = {  # network, weights, preprocessing, data
    "ResNet-18": ("torchvision:resnet18", "resnet18_imagenet", "imagenet", IMAGENET),
    "SqueezeNet 1.0": ("torchvision:squeezenet1_0", "squeezenet1_0_imagenet", OF_CAFFE, IMAGENET),
    "ViT, CIFAR-10": ("{weights}/models.py:vit_cifar10", "vit_cifar10", OF_CIFAR, CIFAR),
}
SCORED = (2, 3, 4, 6, 8)
PACKAGES = ("heatproof", "torch", "torchvision")


def variances(found: list[Components], scored: int, steps: int) -> list[float]:
    """Of each difference, in units of that with all steps scored."""
    return [one.variance(1, scored) / one.variance(1, steps) for one in found]


def measure(name: str, results: Results, shared: Path, count: int) -> None:
    """Adds the row of a network."""
    spec, weights, preprocessing, data = NETWORKS[name]
    folders = {"weights": shared / "weights", "data": shared / "data"}
    file = folders["weights"] / f"{weights}.safetensors"
    if not file.exists():
        print(f"{name}: there is no {file}")
        return
    network = hp.load_network(spec.format(**folders), weights=file, preprocessing=preprocessing)
    images = read_pictures(open_dataset(data.format(**folders)).choose(count), network.preprocessing).images
    wanted = wanted_curves(PlanArguments(methods=METHODS, protocol="coarse-blur"), METHODS)
    task = Task.of(network, images, wanted.methods, None, wanted.protocol, lerf=wanted.lerf)
    task = replace(task, symmetric=wanted.symmetric)
    pilot = run_pilot(task, count, symmetric=True)
    costs = measure_costs(task, 0.0)
    found = [*pilot.above_random.values(), *pilot.between.values()]
    cells: dict[str, str | float | None] = {"network": name}
    times = {}
    for scored in SCORED:
        each = variances(found, scored, pilot.steps)
        cells[f"variance, K = {scored}"] = f"{min(each):.2f}–{max(each):.2f}"
        times[scored] = statistics.median(each) * (costs.heatmaps + costs.orders * costs.pace(scored))
    cells |= {f"time, K = {scored}": time / min(times.values()) for scored, time in times.items()}
    results.add(cells, {"images": len(images), "heatmaps, s": costs.heatmaps, "trajectories, s": dict(costs.paces)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = Results("scored", PACKAGES, threads=options.threads)
    for name in options.networks:
        measure(name, results, options.shared, options.images)


if __name__ == "__main__":
    main()
