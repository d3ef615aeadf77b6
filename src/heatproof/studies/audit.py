"""Would the methods rank alike if regions were removed or scored in another way? Asked of a few of the images.

One thing is changed at a time: the replacement, the order, the score, the size of the regions. Heatmaps are those of
the comparison. Since images differ far more than steps do, few steps of more images are scored.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from heatproof.measures.reversals import answerable, images_for_reversal
from heatproof.perturbation import Curves, Protocol
from heatproof.perturbation.fitting import fit, removable
from heatproof.perturbation.orders import orders_of_heatmaps, random_orders
from heatproof.perturbation.perturbing import perturb_scores
from heatproof.perturbation.regions import grid, grid_side
from heatproof.results.audit import AS_COMPARED, Audit, Evaluated
from heatproof.results.part import REFERENCE
from heatproof.studies.task import Task
from heatproof.studies.watching import Progress

OTHER_REPLACEMENTS = ("uniform", "constant", "blur")  # noise, the mean image, less detail: cheap, and of three kinds
SCORES = ("logit", "probability")
SCORED, SCORED_TO_THE_END = 2, 6  # steps of a sequence
SHARE = 1 / 6  # of the comparison's evaluations, that the audit takes by default …
FEWEST, MOST = 4, 64  # … on at least and at most so many images
KEPT = 0.8  # of an effect size that two sampled steps leave, of those of the comparison
FITTED_ON = 256  # images at most, drawn at random, whose statistics the other replacements take where none were given
SIZE = 9  # side of the paper's regions; also of those for R-OMS, where the comparison's are no grid

Maps = Mapping[str, Tensor]


@dataclass(frozen=True)
class Setting:
    """One way of removing regions from the audited images.

    Attributes:
        changed: what differs from the comparison, "replacement" or "region size", or ``AS_COMPARED``.
        to: what it becomes, in words.
        protocol: with the regions as maps of the images.
        orders: "morf", and "lerf" where nothing else is changed.
    """

    changed: str
    to: str
    protocol: Protocol
    orders: tuple[str, ...] = ("morf",)

    def evaluations(self, methods: int) -> int:
        """Evaluations of one image and this number of methods, the untouched image included."""
        assert self.protocol.scored is not None
        return 1 + methods * len(self.orders) * self.protocol.scored


@dataclass(frozen=True)
class Extent:
    """How many images are audited, and what is asked of them.

    Attributes:
        images: at most.
        asked: pairs of methods of which a reversal could be found; none for all of them.
        needed: images to find one of the clearest pair, where nothing can be asked.
    """

    images: int
    asked: tuple[tuple[str, str], ...] | None = None
    needed: int | None = None


def affordable(task: Task, wanted: int | None, evaluations: int) -> int:
    """How many images at most: those asked for, or what takes a sixth of the evaluations."""
    if wanted is None:
        wanted = max(FEWEST, min(int(SHARE * evaluations / evaluations_of_an_image(task)), MOST))
    return wanted


def extent(
    task: Task, wanted: int | None, evaluations: int, effects: Mapping[tuple[str, str], float], images: int
) -> Extent:
    """What is asked of how many of the images that there are.

    Args:
        task: of one image.
        wanted: images that were asked for: all pairs are asked about; none to plan it.
        evaluations: of the comparison.
        effects: how many standard deviations of the images methods are apart, for pairs that differ significantly.
        images: how many there are.
    """
    most = min(images, affordable(task, wanted, evaluations))
    if wanted is not None or len(task.names) == 1:
        return Extent(most)
    expected = {pair: KEPT * effect for pair, effect in effects.items()}
    conditions = conditions_of(task)
    asked = answerable(expected, conditions, most)
    if not asked:
        needed = images_for_reversal(max(expected.values()), conditions) if expected else None
        return Extent(min(most, FEWEST), (), needed)
    needed = max(images_for_reversal(expected[pair], len(asked) * conditions) for pair in asked)
    return Extent(min(most, max(needed, FEWEST)), tuple(asked))


def conditions_of(task: Task) -> int:
    """Under how many conditions methods are ranked beside that of the comparison."""
    scores = len(dict.fromkeys((task.protocol.score, *_scores(task)))) - 1
    return len(settings(task.of_images([0]))) - 1 + (2 if task.symmetric else 1) + scores


def evaluations_of_an_image(task: Task, *, ranked: bool = True) -> int:
    """How many scores the audit wants of each image; only those to the end, if methods are not ranked."""
    first = task.of_images([0])
    whole = _whole_grid(first)
    to_the_end = sum(
        1 + min(SCORED_TO_THE_END, removable(protocol, whole, task.network, task.shape))
        for protocol in _replacements(task.protocol)
    )
    ranking = sum(setting.evaluations(len(task.names)) for setting in settings(first)) if ranked else 0
    return ranking + to_the_end


def audited(few: Task, maps: Maps, targets: Tensor, names: Sequence[str], progress: Progress, asked: Extent) -> Audit:
    """The audit of these few images, heatmaps and targets; the protocol has statistics."""
    ranked = asked.asked != ()
    started, evaluations = time.perf_counter(), len(few.images) * evaluations_of_an_image(few, ranked=ranked)
    progress.begin(evaluations)
    chosen = settings(few) if ranked else []
    evaluated = tuple(_evaluated(few, setting, maps, targets, progress) for setting in chosen)
    predicted = few.network.predict(few.images, memory=few.protocol.memory)
    removal = {
        protocol.replacement: _to_the_end(few, protocol, predicted, progress)
        for protocol in _replacements(few.protocol)
    }
    seconds = time.perf_counter() - started
    return Audit(
        names=tuple(names),
        score=few.protocol.score,
        evaluated=evaluated,
        removal=removal,
        evaluations=evaluations,
        seconds=seconds,
        asked=asked.asked,
        needed=asked.needed,
        symmetric=few.symmetric,
    )


def settings(task: Task) -> list[Setting]:
    """What is evaluated for the ranking of methods; nothing where there is one method."""
    if len(task.names) < 2:
        return []
    own, *others = _replacements(task.protocol)
    both = ("morf", "lerf")
    orders = both if task.symmetric else ("morf",)
    found = [Setting(AS_COMPARED, own.replacement, _with(own, task.regions, task.steps), both)]
    found += [
        Setting("replacement", other.replacement, _with(other, task.regions, task.steps), orders) for other in others
    ]
    return [*found, *_sizes(task, own, orders)]


def _replacements(protocol: Protocol) -> list[Protocol]:
    """The comparison's own first, each evaluated once and in full: many regions go from one scored step to the next."""
    names = dict.fromkeys((protocol.replacement, *OTHER_REPLACEMENTS))
    return [replace(protocol, replacement=name, repeats=1, engine="full") for name in names]


def _sizes(task: Task, own: Protocol, orders: tuple[str, ...]) -> Iterator[Setting]:
    """Regions of half and of double the size, the same share of the image removed; of grids only.

    In a symmetric comparison also regions of the paper's size.
    """
    height, width = task.shape[1:]
    size = grid_side(task.protocol.regions, height, width)
    if size is None:
        return
    others = dict.fromkeys((size // 2, 2 * size, *([SIZE] if task.symmetric else [])))
    for other in (side for side in others if side != size):
        if 1 <= other <= min(height, width):
            regions = grid(height, width, other).expand(len(task.images), height, width)
            if not fit(own, regions, task.network, task.shape):
                continue
            steps = max(
                1, min(removable(own, regions, task.network, task.shape), round(task.steps * size**2 / other**2))
            )
            yield Setting("region size", f"{other} pixels", _with(own, regions, steps), orders)


def _with(protocol: Protocol, regions: Tensor, steps: int) -> Protocol:
    return replace(protocol, regions=regions, steps=steps, scored=min(SCORED, steps))


def _whole_grid(task: Task) -> Tensor:
    """(n, H, W) the grid that is removed to the end: that of the comparison, if its regions are one."""
    height, width = task.shape[1:]
    size = min(grid_side(task.protocol.regions, height, width) or SIZE, height, width)
    return grid(height, width, size).expand(len(task.images), height, width)


def _evaluated(task: Task, setting: Setting, heatmaps: Maps, targets: Tensor, progress: Progress) -> Evaluated:
    """Curves of all methods in each order, by score."""
    protocol, ids = setting.protocol, task.identities
    assert isinstance(protocol.regions, Tensor)
    steps = protocol.steps_for(protocol.regions)
    walks = {
        (name, order): orders_of_heatmaps(maps, protocol.regions, order=order, steps=steps, seed=protocol.seed, ids=ids)
        for order in setting.orders
        for name, maps in heatmaps.items()
    }
    wanted = list(dict.fromkeys((protocol.score, *_scores(task))))
    found = perturb_scores(task.network, task.images, walks, targets, protocol, ids, wanted, progress.add)
    curves = {
        (score, order): {name: replace(found[score][name, order], order=order) for name in heatmaps}
        for score in wanted
        for order in setting.orders
    }
    return Evaluated(setting.changed, setting.to, protocol.replacement, _region_words(task, setting), curves)


def _scores(task: Task) -> tuple[str, ...]:
    return SCORES if task.network.gives_logits else SCORES[1:]


def _region_words(task: Task, setting: Setting) -> str:
    return setting.to if setting.changed == "region size" else str(task.protocol.describe()["regions"])


def _to_the_end(task: Task, protocol: Protocol, predicted: Tensor, progress: Progress) -> Curves:
    """The predicted class's probability while all regions go, in an order that is the same for all replacements."""
    regions, ids = _whole_grid(task), task.identities
    steps = removable(protocol, regions, task.network, task.shape)
    walk = random_orders(regions, steps=steps, repeats=1, seed=protocol.seed, ids=ids)
    few = min(SCORED_TO_THE_END, steps)
    local = replace(protocol, regions=regions, steps=steps, scored=few, score="probability", against=None)
    found = perturb_scores(
        task.network, task.images, {REFERENCE: walk}, predicted, local, ids, ["probability"], progress.add
    )
    return replace(found["probability"][REFERENCE], order="random")
