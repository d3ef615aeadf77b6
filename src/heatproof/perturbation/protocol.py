"""How regions are removed and scored: the same for all that is compared."""

from dataclasses import dataclass, fields, replace
from typing import Any

from torch import Tensor

from heatproof.defaults import ALL, AUTO
from heatproof.errors import InputError
from heatproof.options.names import PRECISIONS
from heatproof.options.option import shared_values
from heatproof.options.perturbing import Evaluating, Perturbing
from heatproof.options.texts import share_in
from heatproof.perturbation.engine import ENGINES
from heatproof.perturbation.regions import REGIONS, count_regions
from heatproof.perturbation.replacements import DROP, REPLACEMENTS, asks_for
from heatproof.perturbation.scores import SCORES
from heatproof.perturbation.statistics import Statistics, as_statistics
from heatproof.registry import is_whole, parse_spec, unknown

PROTOCOL_STEPS = 100  # [Samek2017]


@dataclass(frozen=True, kw_only=True)
class Protocol(Perturbing):
    """How regions are removed and scored; the same for all that is compared. ``Perturbing`` declares its options."""

    statistics: Statistics | None = None

    @classmethod
    def of(cls, options: Evaluating, **instead: object) -> "Protocol":
        """The protocol that these options ask for, with other values of some; what they do not declare is as usual."""
        given = shared_values(options, cls) | {"statistics": as_statistics(options.statistics)}
        return cls(**given | instead)

    def __post_init__(self) -> None:
        super().__post_init__()
        REPLACEMENTS.resolve(self.replacement)
        SCORES.resolve(self.score)
        left_open = self.drops and isinstance(self.regions, str) and self.regions == AUTO
        if isinstance(self.regions, str) and not is_whole(self.regions) and not left_open:
            REGIONS.resolve(self.regions)
        if self.engine not in ENGINES:
            raise InputError(unknown("engine", self.engine, ENGINES))
        if self.precision not in PRECISIONS:
            raise InputError(unknown("precision", self.precision, PRECISIONS))
        if self.engine == "incremental" and self.drops:
            raise InputError(
                f"engine 'incremental' cannot follow replacement {self.replacement!r}, which evaluates the tokens that "
                "are left; choose engine 'full' or 'auto'"
            )
        if self.engine == "incremental" and self.imputes:
            raise InputError(
                f"engine 'incremental' cannot follow replacement {self.replacement!r}, which fills all removed pixels "
                "anew at every step; choose engine 'full' or 'auto'"
            )
        steps = None if self.steps == ALL or self.share is not None else self.steps
        if steps is not None and (not isinstance(steps, int) or isinstance(steps, bool)):
            raise TypeError(f"steps must be a whole number, got {steps!r}")

    @property
    def share(self) -> float | None:
        """Of all regions, that is removed; none where ``steps`` does not say a share."""
        return share_in(self.steps) if isinstance(self.steps, str) else None

    @property
    def unit(self) -> str:
        """Of the scores, in words."""
        return "logit difference" if self.score == "logit" and self.against is not None else self.score

    @property
    def imputes(self) -> bool:
        """Whether removed pixels are filled from what is left, at every step anew."""
        return asks_for(self.replacement, "removed")

    @property
    def drops(self) -> bool:
        """Whether nothing takes the place of removed patches: their tokens are left out."""
        return parse_spec(self.replacement)[0] == DROP

    @property
    def uses_statistics(self) -> bool:
        """Whether the replacement is fitted to a data set."""
        return asks_for(self.replacement, "statistics")

    @property
    def evaluation_memory(self) -> int:
        """Bytes for evaluating; the other half holds what is to be evaluated."""
        return self.memory // 2

    def fitted(self, images: Tensor) -> "Protocol":
        """The protocol with statistics of all these images, if its replacement needs statistics and has none.

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
        if self.share is not None:
            return max(1, round(self.share * number))
        steps = number if self.steps == ALL else default if self.steps is None else int(self.steps)
        if not 1 <= steps <= number:
            raise InputError(f"steps must be between 1 and {what}, {number}, got {steps}")
        return steps

    def scored_of(self, steps: int) -> int:
        """Number of steps, out of ``steps``, at which the score is evaluated: all, if more are asked for."""
        return steps if self.scored is None else min(self.scored, steps)

    def describe(self) -> dict[str, Any]:
        """The settings as JSON-able values."""
        settings = {field.name: getattr(self, field.name) for field in fields(self)}
        if isinstance(self.regions, Tensor):
            settings["regions"] = f"a map of {int(self.regions.max()) + 1} regions"
        used = self.statistics if self.uses_statistics else None
        return settings | {"statistics": used and used.describe()}
