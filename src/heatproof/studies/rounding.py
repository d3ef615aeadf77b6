"""What evaluating in another precision changes: some images are perturbed again, in the same way, in float32."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from heatproof.defaults import FLOAT32
from heatproof.perturbation import Curves
from heatproof.perturbation.perturbing import perturb_orders
from heatproof.results.comparison import ComparisonResult
from heatproof.results.rounding import Rounding
from heatproof.studies.task import Task
from heatproof.studies.watching import Progress

IMAGES = 8  # at most


def rounding_of(few: Task, study: ComparisonResult, numbers: Sequence[int], progress: Progress) -> Rounding:
    """The errors on these few images, by their numbers in the study; orders, steps and replacements are the study's."""
    started = time.perf_counter()
    rounded = [_on(study.morf, numbers), *([_on(study.lerf, numbers)] if study.lerf else [])]
    walks = [curves for both in rounded for curves in both.values()]
    progress.begin(sum(curves.scored[..., 1:].numel() for curves in walks) + len(numbers) * len(rounded))
    protocol = replace(few.protocol, precision=FLOAT32, regions=few.regions, steps=few.steps)
    asked, exact = study.found.asked[list(numbers)], list[dict[str, Curves]]()
    for both in rounded:
        orders = {name: curves.orders.long() for name, curves in both.items()}
        again = perturb_orders(few.network, few.images, orders, asked, protocol, few.identities, progress.add)
        exact.append({name: replace(again[name], order=curves.order) for name, curves in both.items()})
    return Rounding.of(
        rounded,
        exact,
        study.values,
        study.methods,
        names=[study.names[number] for number in numbers],
        precision=study.protocol.precision,
        symmetric=study.symmetric,
        seconds=time.perf_counter() - started,
    )


def _on(curves: Mapping[str, Curves], numbers: Sequence[int]) -> dict[str, Curves]:
    """The curves of some images."""
    return {
        name: Curves.joined([one.of(slice(number, number + 1)) for number in numbers]) for name, one in curves.items()
    }
