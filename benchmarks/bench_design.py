"""The planned design against the paper's, on the same images, with and without incremental evaluation, in one process.

    python benchmarks/bench_design.py SHARED [--images 24] [--pilot 16] [--methods …] [--engines auto full] [--out FILE]

SHARED is the folder with data and weights (SqueezeNet 1.0, ILSVRC2012). The paper's design scores all 100 steps in 10
repeats. The planned one is the best that the planner finds for a hundredth of these evaluations, those of untouched
images counted in both. Both are given the same images, but other random draws, so that their estimates agree only if
both are right. What planning took is shown on its own: it is paid once, and is not in the times of the run.
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
from heatproof.studies.costs import Design
from heatproof.studies.design import PAPER_REPEATS
from heatproof.studies.task import REFERENCE

FEWER = 100
METHODS = ("lrp-epsilon", "lrp-alphabeta", "sensitivity-l2", "deconvolution-l2")
PREPROCESSING = hp.Preprocessing(resize=(256, 256), crop=227, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def estimates(study: hp.Comparison) -> dict[str, np.ndarray]:
    """(N,) AOPC of each method, and AOPC minus that of the random order."""
    values = {name: hp.aopc(curves).double().numpy() for name, curves in study.curves.items()}
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
    planned = Design(len(images), proposal.design.repeats, proposal.design.scored)
    engines = {}
    for engine in options.engines:
        few = run(network, images, options, planned, engine=engine, seed=1)
        many = run(network, images, options, paper, engine=engine, seed=0)
        engines[engine] = {
            "planned": {name: value for name, value in few.items() if name != "values"},
            "paper": {name: value for name, value in many.items() if name != "values"},
            "agreement": agreement(few["values"], many["values"]),
            "fewer_evaluations": many["evaluations"] / few["evaluations"],
            "times_faster": many["seconds"] / few["seconds"],
        }
        print(table(engine, engines[engine]), flush=True)
    return {
        "images": len(images),
        "planned": asdict(planned),
        "paper": asdict(paper),
        "planning_seconds": planning,
        "pilot_evaluations": proposal.pilot.evaluations,
        "expected_ratio": proposal.standard_error(planned) / proposal.standard_error(paper),
        "engines": engines,
    }


def table(engine: str, found: dict[str, Any]) -> Table:
    """What one engine found."""
    rows = tuple(
        (name, *one["planned"], *one["paper"], *one["standard_errors"], one["ratio"], "yes" if one["agree"] else "no")
        for name, one in found["agreement"].items()
    )
    columns = (
        "AOPC", "planned", "low", "high", "paper's", "low", "high", "planned s.e.", "paper's s.e.", "ratio",
        "agree",
    )  # fmt: skip
    few, many = found["planned"], found["paper"]
    notes = (
        f"engine {engine}: {few['evaluations']:,} against {many['evaluations']:,} evaluations, "
        f"{found['fewer_evaluations']:.1f} times fewer; {few['seconds']:.1f} s against {many['seconds']:.1f} s, "
        f"{found['times_faster']:.1f} times faster ({few['perturbation_seconds']:.1f} s and "
        f"{many['perturbation_seconds']:.1f} s without heatmaps)",
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
    ratios = [one["ratio"] for engine in found["engines"].values() for one in engine["agreement"].values()]
    print(
        f"standard errors: {min(ratios):.3f} to {max(ratios):.3f} of the paper's, "
        f"{found['expected_ratio']:.3f} expected; "
        f"planning took {found['planning_seconds']:.0f} s, its pilot {found['pilot_evaluations']:,} evaluations"
    )
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
