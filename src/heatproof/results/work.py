"""What a comparison took."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from heatproof.perturbation import Engine
from heatproof.wording import counted, duration


@dataclass(frozen=True)
class Work:
    """What was evaluated, in which time, by which engine.

    Attributes:
        evaluations: of the network, on perturbed images and untouched ones; those for heatmaps do not count.
        heatmap_seconds: for all heatmaps.
        perturbation_seconds: for all scores; with ``engine="auto"`` choosing the engine included.
        seconds: in all, making the network's graph included.
        engine: which evaluated the perturbed images.

    >>> print(Work(27_270, 4.1, 96.0, 101.5, Engine("incremental", 62, 65, "the fastest plan, as measured")))
    27,270 evaluations in 96 s (284 a second; 62 of 65 nodes on windows), heatmaps in 4.1 s
    """

    evaluations: int
    heatmap_seconds: float
    perturbation_seconds: float
    seconds: float
    engine: Engine

    @classmethod
    def of_all(cls, parts: "Sequence[Work]", engine: Engine) -> "Work":
        """What several comparisons took together."""
        return cls(
            sum(part.evaluations for part in parts),
            sum(part.heatmap_seconds for part in parts),
            sum(part.perturbation_seconds for part in parts),
            sum(part.seconds for part in parts),
            engine,
        )

    @property
    def evaluations_per_second(self) -> float:
        """Of perturbed and untouched images."""
        return self.evaluations / max(self.perturbation_seconds, 1e-9)

    def describe(self) -> dict[str, Any]:
        """All of it as JSON-able values."""
        numbers = asdict(self) | {"evaluations_per_second": self.evaluations_per_second}
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in numbers.items()}

    def __str__(self) -> str:
        return (
            f"{counted(self.evaluations, 'evaluation')} in {duration(self.perturbation_seconds)} "
            f"({self.evaluations_per_second:,.0f} a second; {self.engine}), "
            f"heatmaps in {duration(self.heatmap_seconds)}"
        )
