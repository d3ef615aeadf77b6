"""What a comparison will take."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from heatproof.perturbation import Engine
from heatproof.report import Table, amount, counted, duration, memory
from heatproof.showing import sentences_html
from heatproof.studies.planning.design import Proposal


@dataclass(frozen=True)
class StepCost:
    """What one step costs.

    Attributes:
        multiply_adds: multiplications with weights that the engine needs for one step; 0 where nothing is known.
        in_full: that the whole network needs.
        at_once: how many sequences go side by side at most, or perturbed images where the network is evaluated whole.
        bytes_each: of what is kept of one sequence; 0 where the network is evaluated whole.
        memory: bytes that the whole comparison may take.
    """

    multiply_adds: int
    in_full: int
    at_once: int
    bytes_each: int
    memory: int


@dataclass(frozen=True)
class Measured:
    """What was run to know the time.

    Attributes:
        images: for whose heatmaps the time was taken.
        sequences: that were begun and followed.
        steps: over which they were followed.
        seconds: that all measuring took.
    """

    images: int
    sequences: int
    steps: int
    seconds: float


@dataclass(frozen=True)
class Extra:
    """What is evaluated beside the curves.

    Attributes:
        images: on how many images; 0 for nothing.
        evaluations: of the network, in full.
        seconds: expected.
    """

    images: int
    evaluations: int
    seconds: float


@dataclass(frozen=True)
class Planting(Extra):
    """What planted truth takes: classes of photographs, their mosaics, and heatmaps.

    Attributes:
        tiles: of the mosaics whose class the network sees: how many images heatmaps are computed of.
    """

    tiles: int = 0


@dataclass(frozen=True)
class Forecast:
    """What a comparison will take, before it is made.

    Attributes:
        images: N.
        methods: how many, with controls, without the random order.
        repeats: of every sequence.
        steps: L.
        scored: at how many of them the score is evaluated.
        lerf: whether the least relevant regions are also removed first.
        engine: which will evaluate the perturbed images, and why.
        step: what one step costs.
        preparing_seconds: expected for making the network's graph and choosing the engine, once.
        heatmap_seconds: expected for all heatmaps.
        perturbation_seconds: expected for all scores.
        measured: what these times come from.
        audit: for the audit.
        further: for measures that evaluate the network further.
        choosing: for choosing a protocol on a pilot, whose images are not among ``images``.
        planting: for planted truth beside the comparison, if that is asked.
        proposal: why these images, repeats and scored steps; none where they were given.
    """

    images: int
    methods: int
    repeats: int
    steps: int
    scored: int
    lerf: bool
    engine: Engine
    step: StepCost
    preparing_seconds: float
    heatmap_seconds: float
    perturbation_seconds: float
    measured: Measured
    audit: Extra = Extra(0, 0, 0.0)
    further: Extra = Extra(0, 0, 0.0)
    choosing: Extra = Extra(0, 0, 0.0)
    planting: Planting = Planting(0, 0, 0.0)
    proposal: Proposal | None = None

    @property
    def evaluations(self) -> int:
        """Evaluations of the network, on perturbed images and untouched ones, without the audit."""
        return self.images * (1 + (self.methods * (1 + self.lerf) + 1) * self.repeats * self.scored)

    @property
    def seconds(self) -> float:
        """Expected in all, without loading, tables and figures."""
        return self.preparing_seconds + self.heatmap_seconds + self.perturbation_seconds + self._extra_seconds

    @property
    def _extra_seconds(self) -> float:
        return self.audit.seconds + self.further.seconds + self.choosing.seconds + self.planting.seconds

    @property
    def evaluations_per_second(self) -> float:
        """Expected, of perturbed and untouched images."""
        return self.evaluations / max(self.perturbation_seconds, 1e-9)

    def table(self) -> Table:
        """The forecast as a table."""
        rows = {
            "evaluations": self._evaluations(),
            "audit": _told(self.audit),
            "measures": _told(self.further),
            "protocol": _told(self.choosing),
            "planted truth": self._planting(),
            "engine": f"{self.engine.name}: {self.engine} ({self.engine.reason})",
            "multiply-adds": self._multiply_adds(),
            "memory": self._memory(),
            "expected time": self._time(),
            "measured": self._measured(),
        }
        return Table(("a run", "takes"), tuple((name, text) for name, text in rows.items() if text))

    def describe(self) -> dict[str, Any]:
        """The forecast as JSON-able values."""
        totals = {"evaluations": self.evaluations, "seconds": self.seconds}
        numbers, proposal = asdict(replace(self, proposal=None)), self.proposal and self.proposal.describe()
        return numbers | {"proposal": proposal} | totals | {"evaluations_per_second": self.evaluations_per_second}

    def __str__(self) -> str:
        return f"{self.proposal}\n\n{self.table()}" if self.proposal else str(self.table())

    def _repr_html_(self) -> str:
        if not self.proposal:
            return self.table()._repr_html_()
        tables = (self.proposal.table(), self.proposal.designs_table(), self.table())
        return "".join(table._repr_html_() for table in tables) + sentences_html(self.proposal.sentences)

    def _evaluations(self) -> str:
        repeats = f"{counted(self.repeats, 'repeat')} × " if self.repeats > 1 else ""
        orders = f"({counted(self.methods, 'method')}{' × 2 orders' if self.lerf else ''} + random order)"
        return (
            f"{self.evaluations:,} = {counted(self.images, 'image')} × {orders} × {repeats}"
            f"{counted(self.scored, 'scored step' if self.scored < self.steps else 'step')} + {self.images:,} untouched"
        )

    def _planting(self) -> str:
        tiles = f", and heatmaps of {counted(self.planting.tiles, 'tile')} of mosaics"
        return _told(self.planting) + tiles if self.planting.images else ""

    def _multiply_adds(self) -> str:
        step = self.step
        if not step.in_full:
            return ""
        if self.engine.name != "incremental":
            return f"{amount(step.in_full)} a step"
        times = f"{step.in_full / max(1, step.multiply_adds):.1f} times as many"
        return f"{amount(step.multiply_adds)} a step; the whole network needs {amount(step.in_full)}, {times}"

    def _memory(self) -> str:
        step = self.step
        if self.engine.name != "incremental":
            return f"{counted(step.at_once, 'perturbed image')} at once, within {memory(step.memory)}"
        return (
            f"{memory(step.bytes_each)} for each sequence, {counted(step.at_once, 'sequence')} at once: "
            f"{memory(step.at_once * step.bytes_each)} of {memory(step.memory)}"
        )

    def _time(self) -> str:
        audit = f", audit {duration(self.audit.seconds)}" if self.audit.images else ""
        audit += f", measures {duration(self.further.seconds)}" if self.further.images else ""
        audit += f", choosing a protocol {duration(self.choosing.seconds)}" if self.choosing.images else ""
        audit += f", planted truth {duration(self.planting.seconds)}" if self.planting.images else ""
        return (
            f"{duration(self.seconds)}: preparing {duration(self.preparing_seconds)}, "
            f"heatmaps {duration(self.heatmap_seconds)}, perturbation {duration(self.perturbation_seconds)} "
            f"({self.evaluations_per_second:,.0f} evaluations a second){audit}"
        )

    def _measured(self) -> str:
        tried = self.measured
        text = (
            f"in {duration(tried.seconds)}: heatmaps of {counted(tried.images, 'image')}, "
            f"{counted(tried.sequences, 'sequence')} over {counted(tried.steps, 'step')}"
        )
        tiny = tried.seconds > self.seconds / 2
        return f"{text}; so small a run takes little longer than measuring it" if tiny else text


def _told(extra: Extra) -> str:
    """Further evaluations in words; empty without any."""
    if not extra.images:
        return ""
    return f"{extra.evaluations:,} more evaluations, in full, on {counted(extra.images, 'image')}"
