"""How long until the ranking of seven methods is settled, against the paper's protocol at equal error.

    python benchmarks/bench_settled.py SHARED [--networks squeezenet1_0 …] [--images 40] [--pilot 16] [--resume]

SHARED is the folder with data (ILSVRC2012) and weights; networks whose files are missing are passed over. Four rows
for each network:

- *defaults, until ranked*: ``hp.compare(network, images, methods, until="ranked")`` with all defaults. Images and
  seconds are measured, choosing the protocol (from 78 images on), controls and audit included. It ends where all pairs
  are settled, or with the last image; then the row says how many pairs are.
- *8 scored steps*: the same with the earlier default; images are computed in proportion to the variances of the
  differences on a pilot, and the evaluations of the further steps are added to the seconds of an image.
- *paper, plain batches*: 9 × 9 regions, uniform noise, 100 steps, 10 repeats, MoRF [Samek2017]. Seconds an image are
  measured (heatmaps, and evaluations of the plain loop of ``contenders.py``, on few images). Images are computed, so
  that the standard errors of the differences are the same share of the differences as in the first row.
- *paper, heatproof*: the same protocol with heatproof's engine, measured on few images.

The share of error is that of all pairs of methods together which the first row found to differ: the sum of the
variances of their differences by the sum of the squared differences, r. It is estimated for both protocols on the same
pilot of other images. N images of the defaults are then as good as N · r(paper) / r(defaults) of the paper's. Variances
of ten repeats follow from two (between and within images [Searle1992]). *Hardest pair* is another yardstick: how many
images each design needs, without looking in between, until the last of these pairs is significant (5 % for all 21 pairs
together, by Bonferroni).
"""

import argparse
import math
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from contenders import REGION, STEPS, Loop, removed_at
from equal_error import Pair, differences
from tables import Results, Row
from torch import Tensor

import heatproof as hp
from heatproof.perturbation.orders import orders_of_heatmaps
from heatproof.perturbation.regions import as_regions
from heatproof.studies.planning.design import PAPER_REPEATS

METHODS = (
    "lrp-epsilon-gamma-box", "lrp-epsilon-plus-flat", "lrp-alphabeta", "lrp-epsilon", "gradient-x-input",
    "sensitivity-l2", "deconvolution-l2",
)  # fmt: skip
NETWORKS = {  # name, and how many images the defaults may take: fewer where each takes long
    "squeezenet1_0": ("SqueezeNet 1.0", 80),
    "resnet18": ("ResNet-18", 40),
    "resnet50": ("ResNet-50", 40),
}
OF_CAFFE = hp.Preprocessing(resize=(256, 256), crop=227, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
PREPROCESSING: dict[str, Any] = {"squeezenet1_0": OF_CAFFE}  # others: torchvision's of ImageNet
PACKAGES = ("heatproof", "torch", "torchvision")
EARLIER = 8  # scored steps of the defaults before they were four
LOOPED, LOOP_STEPS = 8, 10  # images and steps of the plain loop
SAMPLED = 10  # scored steps of the pilot: what they add to its repeats' variance is divided by ten repeats
TIMED = 2  # images of the paper's protocol with heatproof's engine

Maps = Mapping[str, Tensor]


def settled(network: hp.Network, images: Tensor) -> tuple[hp.Comparison, float, list[Pair], int]:
    """What the defaults find, seconds, the pairs of methods that differ, and images until the last of them did."""
    started = perf_counter()
    study = hp.compare(network, images, METHODS, until="ranked", seed=0)
    seconds = perf_counter() - started
    assert study.settlement is not None, "until was given"
    standings = study.settlement.standings
    pairs = [pair for pair in combinations(METHODS, 2) if standings[pair].placed in ("higher", "lower")]
    return study, seconds, pairs, study.settlement.taken


def values_of(network: hp.Network, images: Tensor, maps: Maps, **options: int | str) -> Mapping[str, np.ndarray]:
    """(n,) what each method is compared by: ABPC, or AOPC."""
    study = hp.compare(network, images, dict(maps), controls=False, audit=0, **options)
    return {name: study.values[name] for name in maps}


def engine_rate(network: hp.Network, images: Tensor, maps: Maps) -> float:
    """Evaluations a second of the paper's protocol; the engine is chosen in a run before."""
    for repeats, count in ((1, 1), (2, TIMED)):
        study = hp.compare(
            network, images[:count], {name: found[:count] for name, found in maps.items()},
            protocol="samek2017", repeats=repeats, audit=0,
        )  # fmt: skip
    return study.work.evaluations_per_second


def loop_rate(network: hp.Network, images: Tensor, maps: Maps, rounds: int = 3) -> float:
    """Evaluations a second of plain batches."""
    images, heatmaps = images[:LOOPED], next(iter(maps.values()))[:LOOPED]
    regions = as_regions(REGION, images)
    ids = [str(number) for number in range(len(images))]
    order = orders_of_heatmaps(heatmaps, regions, order="morf", steps=STEPS, seed=0, ids=ids)
    loop = Loop(network.module, images, torch.rand_like(images), removed_at(regions, order[:, 0]))
    rates = []
    for _ in range(rounds):
        started = perf_counter()
        rates.append(loop.run(LOOP_STEPS) / (perf_counter() - started))
    return statistics.median(rates)


def weights_of(name: str, shared: Path) -> Path:
    return shared / "weights" / f"{name}_imagenet.safetensors"


def pictures(shared: Path) -> Path:
    return shared / "data" / "ilsvrc2012-sample" / "images"


def parted(images: Tensor, count: int, pilot: int) -> tuple[Tensor, Tensor]:
    """So many of the images for the comparison, from first to last, and a pilot of others while there are any."""
    places = spread(range(len(images)), count)
    others = [place for place in range(len(images)) if place not in set(places)]
    return images[places], images[spread(others or places, pilot)]


def spread(places: Sequence[int], count: int) -> list[int]:
    """So many of the places, from first to last."""
    return [places[round(at)] for at in np.linspace(0, len(places) - 1, min(count, len(places)))]


def measure(name: str, results: Results, options: argparse.Namespace) -> None:
    """Adds the rows of a network."""
    preprocessing, weights = PREPROCESSING.get(name, "imagenet"), weights_of(name, options.shared)
    network = hp.load_network(f"torchvision:{name}", weights=weights, preprocessing=preprocessing)
    images = hp.load_images(str(pictures(options.shared)), network)
    title, most = NETWORKS[name]
    images, pilot = parted(images, options.images or most, options.pilot)
    study, seconds, pairs, taken = settled(network, images)
    if not pairs:
        print(f"{title}: no two methods differ, nothing to be compared")
        return
    started = perf_counter()
    maps = {method: hp.explain(network, pilot, method) for method in METHODS}
    heatmaps = (perf_counter() - started) / len(pilot)
    chosen = study.choice.chosen if study.choice else "coarse-blur"
    ours = differences([values_of(network, pilot, maps, protocol=chosen, seed=0)], repeats=1)
    paper = differences(
        [values_of(network, pilot, maps, protocol="samek2017", scored=SAMPLED, seed=seed) for seed in (1, 2)],
        repeats=PAPER_REPEATS,
    )
    rates = {"plain batches": loop_rate(network, pilot, maps), "heatproof": engine_rate(network, pilot, maps)}
    details = {"pairs": [list(pair) for pair in pairs], "pilot": len(pilot), "given": len(images), "protocol": chosen}
    shares = [ours.share(pairs), paper.share(pairs)]
    factor = shares[1] / shares[0] if all(map(math.isfinite, shares)) else None  # none: the pilot shows no difference
    details |= {"rates": rates, "heatmaps": heatmaps, "shares": shares if factor else None}
    differ = f"{len(pairs)} of {math.comb(len(METHODS), 2)}"
    results.add(
        {
            "network": title, "design": "defaults, until ranked", "pairs that differ": differ,
            "images": taken, "s an image": seconds / taken, "minutes": seconds / 60, "× defaults": 1.0,
            "images, hardest pair": ours.hardest(pairs),
        },
        details | {"settlement": study.settlement.describe()},
    )  # fmt: skip
    eight = differences([values_of(network, pilot, maps, protocol=chosen, scored=EARLIER, seed=0)], repeats=1)
    less = sum(eight.variances[pair] for pair in pairs) / sum(ours.variances[pair] for pair in pairs)
    more = (study.work.evaluations / taken - 1) * (EARLIER / study.protocol.scored_of(study.morf[METHODS[0]].steps) - 1)
    each = seconds / taken + more / study.work.evaluations_per_second
    computed = partial(_computed, title, seconds)
    results.add(computed(f"{EARLIER} scored steps", taken * less, each, eight.hardest(pairs)))
    for engine, rate in rates.items():
        each = heatmaps + (1 + (len(METHODS) + 1) * PAPER_REPEATS * STEPS) / rate
        results.add(computed(f"paper, {engine}", taken * factor if factor else None, each, paper.hardest(pairs)))


def _computed(title: str, defaults: float, design: str, images: float | None, each: float, hardest: int) -> Row:
    """Cells of a design whose images are computed and whose seconds an image are measured."""
    count = math.ceil(images) if images and math.isfinite(images) else None
    return {
        "network": title, "design": design, "pairs that differ": None,
        "images": count, "s an image": each, "minutes": count and count * each / 60,
        "× defaults": count and count * each / defaults, "images, hardest pair": hardest,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--images", type=int, default=None, help="that the defaults may take; by default by network")
    parser.add_argument("--pilot", type=int, default=16, help="images on which errors are estimated")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", action="store_true", help="pass over networks that have their rows")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = Results("settled", PACKAGES, threads=options.threads, keys=2)
    for name in options.networks:
        missing = [path for path in (weights_of(name, options.shared), pictures(options.shared)) if not path.exists()]
        if missing:
            print(f"{NETWORKS[name][0]}: there is no {missing[0]}")
        elif not (options.resume and results.has(NETWORKS[name][0], "paper, heatproof")):
            measure(name, results, options)


if __name__ == "__main__":
    main()
