"""What is wanted of a comparison, wherever it is computed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from torch import Tensor

from heatproof.defaults import SHOWN
from heatproof.errors import InputError
from heatproof.heatmaps.precomputed import MapFile
from heatproof.options.changing import Changing, changing_described
from heatproof.options.planted import PlantedOptions
from heatproof.perturbation import Protocol
from heatproof.results.settlement import Rule
from heatproof.studies.further import check_measures
from heatproof.studies.task import Method

ASIDE = ("audit", "show", "candidates", "witness")  # of which a run's plan says nothing: they do not change its shards


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is wanted of a comparison, in memory and in a run.

    Attributes:
        methods: of the heatmaps, by name: what computes them, a file of them, or those of all images (N, H, W).
        protocol: how regions are removed and scored.
        lerf: whether least relevant regions are also removed first.
        symmetric: whether methods are compared by the difference of both orders (ABPC); by AOPC if not.
        measures: that evaluate the network further.
        rule: when to stop adding images, if not with the last one.
        audit: on how many images the ranking is audited; none for as many as take a sixth of the evaluations.
        show: how many pictures the page shows, or which, by name.
        candidates: protocols of which one is chosen on a pilot, by name; none if ``protocol`` is taken.
        reference: whether the random order is wanted.
        scores: that are recorded beside the protocol's.
        scope: whether the random order's probability is evaluated as well, for R-OMS.
        removes: whether regions are removed; heatmaps alone are measured if not.
        tuned: variants of methods that were given with alternatives, by the name that was given.
        changing: what is changed before heatmaps are made again, if something is.
        planted: what is planted into the pictures, for heatmaps to find, if something is.
        witness: what is wanted of planted truth beside it, if that is asked.
    """

    methods: Mapping[str, Method]
    protocol: Protocol
    lerf: bool = False
    symmetric: bool = False
    measures: Sequence[str] = ()
    rule: Rule | None = None
    audit: int | None = 0
    show: int | str = SHOWN
    candidates: Mapping[str, Protocol] = field(default_factory=dict)
    reference: bool = True
    scores: Sequence[str] = ()
    scope: bool = False
    removes: bool = True
    tuned: Mapping[str, Sequence[str]] = field(default_factory=dict)
    planted: PlantedOptions | None = None
    changing: Changing | None = None
    witness: "Wanted | None" = None

    def __post_init__(self) -> None:
        check_measures(self.measures)
        missing = [name for variants in self.tuned.values() for name in variants if name not in self.methods]
        if missing:
            raise InputError(f"{missing[0]!r} is a variant of a tuned method, and no method of the comparison")
        few = [name for name, variants in self.tuned.items() if len(variants) < 2]
        if few:
            raise InputError(f"{few[0]!r} is a tuned method with fewer than two variants")

    @property
    def study(self) -> str:
        """What a run of it is called."""
        return study_of(self.describe())

    @property
    def files(self) -> dict[str, MapFile]:
        """Files of heatmaps, by method."""
        return {name: method for name, method in self.methods.items() if isinstance(method, MapFile)}

    def describe(self) -> dict[str, Any]:
        """What is done with each image, as JSON-able values; ``ASIDE`` stays out."""
        protocol = {one.name: getattr(self.protocol, one.name) for one in fields(Protocol)}
        del protocol["statistics"]  # they lie in a file of their own
        if isinstance(self.protocol.regions, Tensor):
            protocol["regions"] = self.protocol.describe()["regions"]
        said = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ASIDE}
        methods, measures, rule = list(self.methods), list(self.measures), self.rule and asdict(self.rule)
        planted, changing = self.planted and asdict(self.planted), self.changing and changing_described(self.changing)
        found = {"methods": methods, "protocol": protocol, "measures": measures, "rule": rule}
        return said | found | {"planted": planted, "changing": changing}


def study_of(plan: Mapping[str, Any]) -> str:
    """What a run is called that does what ``Wanted.describe`` said."""
    if plan.get("planted"):
        return "planted"
    if plan.get("changing"):
        return str(plan["changing"]["study"])
    return "compare" if plan["removes"] else "complexity"
