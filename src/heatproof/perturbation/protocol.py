"""How regions are removed and scored: the same for all that is compared."""

from dataclasses import dataclass, fields, replace
from typing import Any

from torch import Tensor

from heatproof.bounds import MEMORY, REPEATS, SEED
from heatproof.defaults import ALL
from heatproof.errors import InputError
from heatproof.network.network import DEFAULT_MEMORY
from heatproof.perturbation.engine import ENGINES
from heatproof.perturbation.regions import REGIONS, count_regions
from heatproof.perturbation.replacements import REPLACEMENTS, asks_for
from heatproof.perturbation.scores import SCORES
from heatproof.perturbation.statistics import Statistics
from heatproof.registry import is_whole, unknown

PROTOCOL_STEPS = 100  # [Samek2017]


@dataclass(frozen=True)
class Protocol:
    """How regions are removed and scored; the same for all that is compared.

    Attributes:
        replacement: what a removed region becomes, by name.
        regions: size of the grid's regions in pixels, "pixels", superpixels such as "slic[segments=100]", or a map of
            region indices (H, W) or (N, H, W).
        steps: how many regions are removed, or "all"; none for the paper's 100, or all where there are fewer.
        repeats: how often, each time with another replacement image.
        seed: of all random draws.
        score: of the target, by name.
        engine: how perturbed images are evaluated.
        memory: bytes that activations and images may take.
        statistics: of a data set, for replacements that ask for them.
        scored: at how many of the steps the score is evaluated, drawn at random for each image; none for all.
    """

    replacement: str = "uniform"
    regions: int | str | Tensor = 9
    steps: int | str | None = None
    repeats: int = 10
    seed: int = 0
    score: str = "logit"
    engine: str = "auto"
    memory: int = DEFAULT_MEMORY
    statistics: Statistics | None = None
    scored: int | None = None

    def __post_init__(self) -> None:
        REPLACEMENTS.resolve(self.replacement)
        SCORES.resolve(self.score)
        if isinstance(self.regions, str) and not is_whole(self.regions):
            REGIONS.resolve(self.regions)
        if self.engine not in ENGINES:
            raise InputError(unknown("engine", self.engine, ENGINES))
        if self.engine == "incremental" and self.imputes:
            raise InputError(
                f"engine 'incremental' cannot follow replacement {self.replacement!r}, which fills all removed pixels "
                "anew at every step, from what is left; take engine 'full', or 'auto', which does"
            )
        for name, count in (
            ("steps", None if self.steps == ALL else self.steps),
            ("repeats", self.repeats),
            ("scored", self.scored),
            ("seed", self.seed),
            ("memory", self.memory),
        ):
            if count is not None and (not isinstance(count, int) or isinstance(count, bool)):
                raise TypeError(f"{name} must be a whole number, got {count!r}")
        REPEATS.check("repeats", self.repeats)
        SEED.check("seed", self.seed)
        MEMORY.check("memory, in bytes,", self.memory)

    @property
    def imputes(self) -> bool:
        """Whether removed pixels are filled from what is left, at every step anew."""
        return asks_for(self.replacement, "removed")

    @property
    def uses_statistics(self) -> bool:
        """Whether the replacement is fitted to a data set."""
        return asks_for(self.replacement, "statistics")

    @property
    def evaluation_memory(self) -> int:
        """Bytes for evaluating; the other half holds what is to be evaluated."""
        return self.memory // 2

    def fitted(self, images: Tensor) -> "Protocol":
        """The same, with the statistics of all these images where the replacement needs some and none were given.

        Raises:
            InputError: where the statistics that were given are of images of another size.
        """
        if not self.uses_statistics:
            return self
        if self.statistics is None:
            return replace(self, statistics=Statistics.of(images))
        self.statistics.check(images)
        return self

    def steps_for(self, regions: Tensor) -> int:
        """How many steps there are for regions (N, H, W)."""
        number = count_regions(regions)
        return self.steps_of(number, "the number of regions", min(PROTOCOL_STEPS, number))

    def steps_of(self, number: int, what: str, default: int) -> int:
        """How many of ``number`` steps are taken."""
        steps = number if self.steps == ALL else default if self.steps is None else int(self.steps)
        if not 1 <= steps <= number:
            raise InputError(f"steps must be between 1 and {what}, {number}, got {steps}")
        return steps

    def scored_of(self, steps: int) -> int:
        """At how many of so many steps the score is evaluated."""
        scored = steps if self.scored is None else self.scored
        if not 1 <= scored <= steps:
            raise InputError(f"scored must be between 1 and the number of steps, {steps}, got {scored}")
        return scored

    def describe(self) -> dict[str, Any]:
        """All of it as JSON-able values."""
        settings = {field.name: getattr(self, field.name) for field in fields(self)}
        if isinstance(self.regions, Tensor):
            settings["regions"] = f"a map of {int(self.regions.max()) + 1} regions"
        used = self.statistics if self.uses_statistics else None
        return settings | {"statistics": used and used.describe()}
