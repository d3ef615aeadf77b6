"""The planned design against the paper's, on the same images, with and without incremental evaluation, in one process.

    python benchmarks/bench_design.py SHARED [--images 24] [--pilot 16] [--methods …] [--engines auto full] [--out FILE]

SHARED is the folder with data and weights (SqueezeNet 1.0, ILSVRC2012). The paper's design scores all 100 steps in 10
repeats. The planned one is the best that the planner finds for a hundredth of these evaluations, those of untouched
images counted in both; beside it stands the one with a single repeat and as many scored steps as that allows. All are
given the same images, but other random draws than the paper's, so that estimates agree only if both are right. What
planning took is shown on its own: it is paid once, and is not in the times of the run.
"""

import argparse
import json
import platform
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import heatproof as hp
from heatproof.data import as_dataset, read_pictures
from heatproof.measures import estimate
from heatproof.report import Table
from heatproof.results.part import REFERENCE
from heatproof.studies.planning.costs import Design
from heatproof.studies.planning.design import PAPER_REPEATS

FEWER = 100
METHODS = ("lrp-epsilon", "lrp-alphabeta", "sensitivity-l2", "deconvolution-l2")
PREPROCESSING = hp.Preprocessing(resize=(256, 256), crop=227, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def estimates(study: hp.Comparison) -> dict[str, np.ndarray]:
    """(N,) AOPC of each method, and AOPC minus that of the random order."""
    values = {name: hp.aopc(curves).double().numpy() for name, curves in study.morf.items()}
    return values | {
        f"{name} − random": found - values[REFERENCE] for name, found in values.items() if name != REFERENCE
    }


def run(
    network: hp.Network, images: torch.Tensor, options: argparse.Namespace, design: Design, *, engine: str, seed: int
) -> dict[str, Any]:
    """One comparison: what it found, evaluations and seconds."""
    study = hp.compare(
        network,
        images,
        options.methods,
        protocol="samek2017",
        steps=options.steps,
        repeats=design.repeats,
        scored=design.scored,
        audit=0,
        engine=engine,
        seed=seed,
    )
    return {
        "values": estimates(study),
        "evaluations": study.work.evaluations,
        "seconds": study.work.seconds,
        "heatmap_seconds": study.work.heatmap_seconds,
        "perturbation_seconds": study.work.perturbation_seconds,
        "engine": str(study.work.engine),
    }


def agreement(planned: dict[str, np.ndarray], paper: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """By quantity: both estimates with intervals, whether each lies in the other's, and both standard errors."""
    found = {}
    for name, few in planned.items():
        all_of_it, difference = paper[name], estimate(few - paper[name])
        one, other = estimate(few), estimate(all_of_it)
        errors = [float(values.std(ddof=1) / len(values) ** 0.5) for values in (few, all_of_it)]
        found[name] = {
            "planned": [one.mean, one.low, one.high],
            "paper": [other.mean, other.low, other.high],
            "difference": [difference.mean, difference.low, difference.high],
            "agree": bool(one.low <= other.mean <= one.high and other.low <= one.mean <= other.high),
            "standard_errors": errors,
            "ratio": errors[0] / errors[1],
        }
    return found


def measure(options: argparse.Namespace) -> dict[str, Any]:
    network = hp.load_network(
        "torchvision:squeezenet1_0",
        weights=options.shared / "weights" / "squeezenet1_0_imagenet.safetensors",
        preprocessing=PREPROCESSING,
    )
    folder = options.shared / "data" / "ilsvrc2012-sample" / "images"
    images = read_pictures(as_dataset([str(folder)]).choose(options.images), network.preprocessing).images
    paper = Design(len(images), PAPER_REPEATS, options.steps)
    budget = len(images) * (1 + (len(options.methods) + 1) * PAPER_REPEATS * options.steps) // FEWER
    started = time.perf_counter()
    forecast = hp.plan_comparison(
        network, images, options.methods, steps=options.steps, budget=budget, pilot=options.pilot, audit=0
    )
    planning = time.perf_counter() - started
    print(forecast, flush=True)
    proposal = forecast.proposal
    assert proposal is not None, "a budget was given"
    designs = {
        "planned": Design(len(images), proposal.design.repeats, proposal.design.scored),
        "one repeat": Design(len(images), 1, max(1, options.steps * PAPER_REPEATS // FEWER - 1)),
    }
    engines: dict[str, Any] = {}
    for engine in options.engines:
        many = run(network, images, options, paper, engine=engine, seed=0)
        engines[engine] = {"paper": without_values(many)}
        for name, design in designs.items():
            few = run(network, images, options, design, engine=engine, seed=1)
            engines[engine][name] = without_values(few) | {
                "agreement": agreement(few["values"], many["values"]),
                "fewer_evaluations": many["evaluations"] / few["evaluations"],
                "times_faster": many["seconds"] / few["seconds"],
            }
            print(f"\n{name}, {design}, engine {engine}\n{table(engines[engine][name], many)}", flush=True)
    return {
        "images": len(images),
        "paper": asdict(paper),
        "designs": {name: asdict(design) for name, design in designs.items()},
        "planning_seconds": planning,
        "pilot_evaluations": proposal.pilot.evaluations,
        "expected_ratios": {
            name: proposal.standard_error(design) / proposal.standard_error(paper) for name, design in designs.items()
        },
        "engines": engines,
    }


def without_values(found: dict[str, Any]) -> dict[str, Any]:
    """All but the values of every image."""
    return {name: value for name, value in found.items() if name != "values"}


def table(few: dict[str, Any], many: dict[str, Any]) -> Table:
    """What a design found, beside the paper's."""
    rows = tuple(
        (name, *one["planned"], *one["paper"], *one["standard_errors"], one["ratio"], "yes" if one["agree"] else "no")
        for name, one in few["agreement"].items()
    )
    columns = (
        "AOPC", "this design", "low", "high", "paper's", "low", "high", "s.e.", "paper's s.e.", "ratio",
        "agree",
    )  # fmt: skip
    notes = (
        f"{few['evaluations']:,} against {many['evaluations']:,} evaluations, {few['fewer_evaluations']:.1f} times "
        f"fewer; {few['seconds']:.1f} s against {many['seconds']:.1f} s, {few['times_faster']:.1f} times faster "
        f"({few['perturbation_seconds']:.1f} s and {many['perturbation_seconds']:.1f} s without heatmaps)",
    )
    return Table(columns, rows, notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--steps", type=int, default=100, help="the paper's are 100")
    parser.add_argument("--pilot", type=int, default=16)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--engines", nargs="+", default=["auto", "full"], choices=["auto", "incremental", "full"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=None, help="a JSON file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = measure(options)
    print(f"\nplanning took {found['planning_seconds']:.0f} s, its pilot {found['pilot_evaluations']:,} evaluations")
    record = {
        "machine": platform.processor() or platform.machine(),
        "threads": options.threads,
        "methods": options.methods,
        "versions": {name: version(name) for name in ("torch", "torchvision", "heatproof")},
        **found,
    }
    if options.out:
        options.out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
