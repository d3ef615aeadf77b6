"""What is wanted of a comparison, wherever it is computed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from torch import Tensor

from heatproof.defaults import SHOWN
from heatproof.heatmaps.precomputed import MapFile
from heatproof.options.planted import PlantedOptions
from heatproof.perturbation import Protocol
from heatproof.results.settlement import Rule
from heatproof.studies.further import check_measures
from heatproof.studies.task import Method


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is wanted of a comparison, in memory and in a run.

    Attributes:
        methods: of the heatmaps, by name: what computes them, a file of them, or those of all images (N, H, W).
        protocol: how regions are removed and scored.
        lerf: whether least relevant regions are also removed first.
        measures: that evaluate the network further.
        rule: when to stop adding images, if not with the last one.
        audit: on how many images the ranking is audited; none for as many as take a sixth of the evaluations.
        show: how many pictures the page shows, or which, by name.
        reference: whether the random order is wanted.
        scores: that are recorded beside the protocol's.
        removes: whether regions are removed; heatmaps alone are measured if not.
        planted: what is planted into the pictures, for heatmaps to find, if something is.
    """

    methods: Mapping[str, Method]
    protocol: Protocol
    lerf: bool = False
    measures: Sequence[str] = ()
    rule: Rule | None = None
    audit: int | None = 0
    show: int | str = SHOWN
    reference: bool = True
    scores: Sequence[str] = ()
    removes: bool = True
    planted: PlantedOptions | None = None

    def __post_init__(self) -> None:
        check_measures(self.measures)

    @property
    def study(self) -> str:
        """What a run of it is called."""
        return study_of(self.describe())

    @property
    def files(self) -> dict[str, MapFile]:
        """Files of heatmaps, by method."""
        return {name: method for name, method in self.methods.items() if isinstance(method, MapFile)}

    def describe(self) -> dict[str, Any]:
        """What is done with each image, as JSON-able values; how many are audited and shown stays out."""
        protocol = {field.name: getattr(self.protocol, field.name) for field in fields(Protocol)}
        del protocol["statistics"]  # they lie in a file of their own
        if isinstance(self.protocol.regions, Tensor):
            protocol["regions"] = self.protocol.describe()["regions"]
        said = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("audit", "show")}
        methods, measures, rule = list(self.methods), list(self.measures), self.rule and asdict(self.rule)
        planted = self.planted and asdict(self.planted)
        found = {"methods": methods, "protocol": protocol, "measures": measures, "rule": rule, "planted": planted}
        return said | found


def study_of(plan: Mapping[str, Any]) -> str:
    """What a run is called that does what ``Wanted.describe`` said."""
    if plan.get("planted"):
        return "planted"
    return "compare" if plan["removes"] else "complexity"
