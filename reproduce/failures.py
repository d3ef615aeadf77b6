"""What heatmaps say of networks that fail, and what the confidence says.

Every checkpoint of ``reproduce/failing.py`` is assessed on 300 lossless test pictures: as they are, with squares, and,
those of clean networks, after a shift. What was found of each run of training and condition is kept beside the
checkpoints, and read from there the next time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

import heatproof as hp
from heatproof.measures import Estimate
from heatproof.measures.agreement import partial_spearman, spearman
from heatproof.measures.intervals import percentile_estimate, resampled
from heatproof.measures.quality import CONTROLS, QUALITIES
from heatproof.measures.recurrence import recurring_place
from heatproof.measures.series import Series
from heatproof.perturbation.regions import as_regions, relative_side, relevance_of_regions
from heatproof.report import Table
from heatproof.results.assessment import ACCURACY, CONFIDENCE
from reproduce.cells import CIFAR10, Size, at_hand
from reproduce.failing import CHECKPOINTS, KINDS, SHIFTS, SQUARES, TRAINER, checkpoints, trainer
from reproduce.results import Result

IMAGES, PHOTOGRAPHS = 300, 24
METHOD = "lrp-alphabeta"
STEPS = 10  # of 64 regions of 4 × 4 pixels: 15.6 % of the image, as much as the paper's 100 of 9 × 9
AS_THEY_ARE = "as they are"
CONDITIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {AS_THEY_ARE: lambda pixels, _: pixels} | SQUARES | SHIFTS
PREPROCESSING = hp.Preprocessing(mean=(0.5,) * 3, std=(0.25,) * 3)
SHOWN = (*CONTROLS, *QUALITIES)
PAPER = "nothing of this; it shows one network that becomes better, and no network that fails."


@dataclass(frozen=True)
class Found:
    """What was found of several checkpoints on the same images.

    Attributes:
        series: accuracy and every quantity.
        share: (C,) of the images whose most relevant region lies at one place.
        recurs: (C,) whether that is worth a warning.
        where: (C,) the place, in words.
    """

    series: dict[str, Series]
    share: np.ndarray
    recurs: np.ndarray
    where: np.ndarray

    def some(self, rows: Sequence[int]) -> dict[str, Series]:
        """The series of some of the checkpoints."""
        return {name: _rows(one, rows) for name, one in self.series.items()}


def run(size: Size) -> Iterator[Result]:
    """Trains and assesses where nothing is kept yet; then the tables."""
    result = Result("failures", "Networks that fail: what do heatmaps add to the confidence?", PAPER)
    if CIFAR10.missing:
        result.text.append(CIFAR10.missing)
        yield result
        return
    found = {
        (kind, condition): [assessed(kind, seed, condition) for seed in range(size.seeds)]
        for condition in CONDITIONS
        for kind in kinds_under(condition)
    }
    result.add("Over the checkpoints of a run", correlations(found))
    result.add("Over the checkpoints of a run, given the mean confidence", correlations(found, given=CONFIDENCE))
    pooled = pools(found)
    result.add("Over networks of all kinds, and over shifts", correlations(pooled))
    result.add(
        "Over networks of all kinds, and over shifts, given the mean confidence", correlations(pooled, CONFIDENCE)
    )
    result.add("The network that comes first, of the last checkpoints of each kind", choices(found))
    result.add("One place in image after image", places(found))
    result.add("One place in photograph after photograph", photographs(result))
    yield result


def kinds_under(condition: str) -> list[str]:
    """The kinds of networks that are tested under a condition."""
    return ["clean"] if condition in SHIFTS else ["clean", "shortcut"] if condition in SQUARES else list(KINDS)


def assessed(kind: str, seed: int, condition: str) -> Found:
    """The checkpoints of one run of training under one condition."""
    file = CHECKPOINTS / "assessed" / f"{kind}-{seed}-{condition.replace(' ', '-')}.npz"
    weights = checkpoints(kind, seed)
    if not file.exists():
        pixels, labels = trainer().read(CIFAR10.test, CHECKPOINTS)
        images = CONDITIONS[condition](pixels[:IMAGES], labels[:IMAGES]).float() / 255
        network = hp.load_network(f"{TRAINER}:convolutional", preprocessing=PREPROCESSING)
        study = hp.assess(network, weights, images, labels=labels[:IMAGES], method=METHOD, regions=4, steps=STEPS)
        file.parent.mkdir(exist_ok=True)
        kept = {name: one.numerator for name, one in study.series.items()}
        kept |= {f"{name} below": one.denominator for name, one in study.series.items() if one.denominator is not None}
        for part in ("share", "recurs", "where"):
            kept[part] = np.array([getattr(place, part) for place in study.places.values()])
        np.savez(file, allow_pickle=False, **kept)
    kept = dict(np.load(file))
    names = (ACCURACY, *SHOWN)
    series = {name: Series(kept[name], kept.get(f"{name} below")) for name in names}
    return Found(series, kept["share"], kept["recurs"], kept["where"])


def pools(found: dict[tuple[str, str], list[Found]]) -> dict[tuple[str, str], list[Found]]:
    """Checkpoints of all kinds on the same images; all checkpoints, and the last one, of clean networks over shifts."""
    kinds = {
        (" and ".join(kinds_under(condition)), condition): _together(found, condition, lambda part: part)
        for condition in (AS_THEY_ARE, *SQUARES)
    }
    shifted = [found["clean", condition] for condition in (AS_THEY_ARE, *SHIFTS)]
    last = [[_last(part) for part in parts] for parts in zip(*shifted, strict=True)]
    return kinds | {
        ("clean", "as they are and all shifts"): [_joined(parts) for parts in zip(*shifted, strict=True)],
        ("clean, last checkpoint", "as they are and all shifts"): [_joined(parts) for parts in last],
    }


def correlations(found: dict[tuple[str, str], list[Found]], given: str | None = None) -> Table:
    """Rank correlations with the accuracy: mean of the runs with its interval over images, and each run."""
    rows = []
    for (kind, condition), runs in found.items():
        right = np.stack([one.series[ACCURACY].values() for one in runs])
        accuracies = (
            f"{right[:, 0].mean():.0%} – {right[:, -1].mean():.0%}"
            if condition in CONDITIONS
            else f"{right.min():.0%} – {right.max():.0%}"
        )
        values = [mean_of_runs(runs, name, given) for name in SHOWN if name != given]
        rows.append((kind, condition, accuracies, *values))
    note = (
        f"Spearman's, {'given the ' + given if given else 'alone'}: mean of the runs [95 % interval over {IMAGES} "
        "images] (each run). Accuracy: from the first to the last checkpoint, mean of the runs; or lowest to highest."
    )
    return Table(("trained", "tested", "accuracy", *(name for name in SHOWN if name != given)), tuple(rows), (note,))


def mean_of_runs(runs: Sequence[Found], name: str, given: str | None) -> str:
    """The mean of the runs with its interval over images, and each run, of a rank correlation with the accuracy."""
    wanted = (name, ACCURACY) if given is None else (name, ACCURACY, given)
    correlate = spearman if given is None else partial_spearman
    drawn = resampled(np.concatenate([runs[0].series[part].numerator for part in wanted]))
    values = [float(correlate(*(one.series[part].values()[None] for part in wanted))[0]) for one in runs]
    draws = np.mean([correlate(*(one.series[part].values(drawn) for part in wanted)) for one in runs], axis=0)
    mean = percentile_estimate(float(np.mean(values)), draws)
    each = ", ".join(f"{value:.2f}" if np.isfinite(value) else "–" for value in values)
    return f"{_estimate(mean)} ({each})"


def choices(found: dict[tuple[str, str], list[Found]]) -> Table:
    """Which kind each quantity ranks first among the last checkpoints of each run, and the accuracy that this costs."""
    rows = []
    for condition in (AS_THEY_ARE, *SQUARES):
        kinds, runs = kinds_under(condition), _together(found, condition, _last)
        right = np.stack([one.series[ACCURACY].values() for one in runs])  # (runs, kinds)
        for name in (ACCURACY, *SHOWN):
            first = np.stack([one.series[name].values() for one in runs]).argmax(axis=1)
            lost = right.max(axis=1) - right[np.arange(len(runs)), first]
            rows.append((condition, name, ", ".join(kinds[index] for index in first), f"{lost.mean():.1%}"))
    note = "First: in each of the runs. Lost: accuracy of the best one, minus that of the one ranked first; mean."
    return Table(("tested", "quantity", "first", "lost"), tuple(rows), (note,))


def places(found: dict[tuple[str, str], list[Found]]) -> Table:
    """How often the maps find one place in image after image."""
    rows = []
    for (kind, condition), runs in found.items():
        warned = np.stack([one.recurs for one in runs])
        last = ", ".join(f"{one.share[-1]:.0%} {one.where[-1]}" for one in runs)
        rows.append(
            (kind, condition, f"{warned.sum()} of {warned.size}", f"{warned[:, -1].sum()} of {len(runs)}", last)
        )
    return Table(
        ("trained", "tested", "checkpoints warned of", "last ones", "share and place at the last ones"), tuple(rows)
    )


def photographs(result: Result) -> Table:
    """The same for published networks on photographs, which have no mark that anybody knows of."""
    rows: list[tuple[str, int, str, str]] = []
    for one in at_hand(Size(PHOTOGRAPHS, repeats=1, seeds=1), result):
        images = one.pictures.images
        height, width = images.shape[-2:]
        heatmaps = hp.explain(one.network, images, METHOD)
        for side in (9, relative_side(height, width, across=8)):
            relevance = relevance_of_regions(heatmaps, as_regions(side, images))
            place = recurring_place(np.array([one.argmax() for one in relevance]), height // side, width // side)
            if place is None:  # too few regions
                continue
            warned = "yes" if place.recurs else "no"
            rows.append((one.name, side, f"{place.share:.0%} {place.where}", warned))
    note = f"{PHOTOGRAPHS} photographs of each data set at most, met by each network of the survey."
    return Table(("photographs", "regions", "share and place", "warned of"), tuple(rows), (note,))


def _estimate(value: Estimate) -> str:
    bounds = f" [{value.low:.2f}, {value.high:.2f}]" if np.isfinite([value.low, value.high]).all() else ""
    return f"{value.mean:.2f}{bounds}" if np.isfinite(value.mean) else "–"


def _rows(series: Series, rows: Sequence[int]) -> Series:
    return Series(series.numerator[rows], None if series.denominator is None else series.denominator[rows])


def _last(found: Found) -> Found:
    return Found(found.some([-1]), found.share[-1:], found.recurs[-1:], found.where[-1:])


def _together(
    found: dict[tuple[str, str], list[Found]], condition: str, part_of: Callable[[Found], Found]
) -> list[Found]:
    """Checkpoints of all kinds that are tested under a condition, for each run."""
    runs = zip(*(found[kind, condition] for kind in kinds_under(condition)), strict=True)
    return [_joined([part_of(part) for part in parts]) for parts in runs]


def _joined(parts: Sequence[Found]) -> Found:
    """Checkpoints of several runs or conditions, one after the other."""

    def stacked(name: str) -> Series:
        below = [part.series[name].denominator for part in parts]
        numerators = np.concatenate([part.series[name].numerator for part in parts])
        return Series(
            numerators, None if below[0] is None else np.concatenate([one for one in below if one is not None])
        )

    return Found(
        {name: stacked(name) for name in parts[0].series},
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("share", "recurs", "where")),
    )
