"""How many images to evaluate at once on a CPU: one number for all layers, against two stages.

    python benchmarks/bench_batches.py [--networks resnet18 …] [--rounds 5]

Whole images of 224 × 224 pixels go through heatproof's graph: all nodes for 2, 4, 8 or 16 at once, and in two stages,
as ``heatproof.network.graph`` does it: maps of more than 1.5 MiB for two images, what follows them for 16. Ways take
turns in one process, once with one thread and once with two; medians are compared. *Stages* is the time in two stages
as a share of that of the best single number; less is better.
"""

import argparse
import statistics
from collections import defaultdict

import torch
from bench_incremental import load
from contenders import seconds_of
from tables import Results

import heatproof as hp
from heatproof.network.graph import MANY

SINGLE = (2, 4, 8, 16)
NETWORKS = {
    "vgg16": "VGG-16",
    "squeezenet1_0": "SqueezeNet 1.0",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "googlenet": "GoogLeNet",
    "inception_v3": "Inception v3",
    "densenet121": "DenseNet-121",
    "mobilenet_v2": "MobileNet v2",
    "regnet_y_400mf": "RegNetY-400MF",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_b0": "EfficientNet-B0",
    "convnext_tiny": "ConvNeXt-T",
}
PACKAGES = ("heatproof", "torch", "torchvision", "timm")
SHAPE = (3, 224, 224)


@torch.inference_mode()
def milliseconds(network: hp.Network, rounds: int) -> dict[str, float]:
    """For one image, in each way."""
    graph = network.graph(SHAPE, unread=False)
    assert graph.stages, "this network is evaluated in one stage"
    batches = {size: torch.rand(size, *SHAPE).contiguous(memory_format=torch.channels_last) for size in {*SINGLE, MANY}}
    ways = {str(size): lambda size=size: graph.whole.value(graph.output, {graph.input: batches[size]})
            for size in SINGLE}  # fmt: skip
    ways["stages"] = lambda: graph.evaluate(batches[MANY])
    found = defaultdict(list)
    for number in range(rounds + 1):
        for way, evaluate in ways.items():
            size = MANY if way == "stages" else int(way)
            seconds = sum(seconds_of(evaluate) for _ in range(MANY // size))
            if number:  # the first round fills caches
                found[way].append(1000 * seconds / MANY)
    return {way: statistics.median(values) for way, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    results = Results("batches", PACKAGES, threads=2)
    for name in options.networks:
        network = hp.Network(load(name))
        cells = {"network": NETWORKS[name]}
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found = milliseconds(network, options.rounds)
            stages, word = found.pop("stages"), "thread" if threads == 1 else "threads"
            best = min(found, key=lambda way: found[way])
            cells |= {
                f"ms, {threads} {word}": " / ".join(f"{found[str(size)]:.1f}" for size in SINGLE),
                f"in stages, {threads} {word}": stages,
                f"stages, {threads} {word}": stages / found[best],
            }
        results.add(cells, {"rounds": options.rounds})
    results.sort(list(NETWORKS.values()))


if __name__ == "__main__":
    main()
