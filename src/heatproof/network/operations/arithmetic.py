"""Sums and products of whole maps."""

from torch import Tensor

from heatproof.network.operations.operation import Call, Called, Operation, Record, Signals, Variable, operation
from heatproof.network.operations.reach import POINTWISE, Reach
from heatproof.network.rules import Rule


class ByConstant(Called):
    """One map combined with a constant: relevance passes unchanged, one input makes one output."""

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """A position depends on itself, unless the constant differs between positions or makes the map larger."""
        return _pointwise(self.call, shapes)

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """Unchanged (summed where the constant made the map larger)."""
        return (relevance.sum_to_size(record.inputs[0].shape),)


@operation("add.Tensor", "sub.Tensor", "add.Scalar", "sub.Scalar")
class Add(Called):
    """The sum or difference of two maps, as at the end of a residual block."""

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """The sum of two maps, or of a map and a constant."""
        return cls(call) if len(call.variables) == 2 else ByConstant(call)

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """A position depends on itself, where the maps have the same size."""
        return _pointwise(self.call, shapes)

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """In proportion to what each map adds, so that nothing is counted twice."""
        return self.proportional(record, relevance)


@operation("mul.Tensor", "mul.Scalar", "div.Tensor", "div.Scalar")
class Product(Called):
    """The product of two maps of equal size; deconvolution and relevance are not defined for it."""

    refuses = {
        "deconvolution": "deconvolution is not defined for the product of two signals",
        "relevance": "no relevance rule says which of two signals of equal size is the gate",
    }

    @classmethod
    def read(cls, call: Call) -> Operation:  # type: ignore[override]
        """A product by a constant, by a gate (the smaller map), or of two maps."""
        if len(call.variables) == 1:
            name = str(call.function)
            return cls(call) if name.startswith("aten.div") and _constant_first(call) else ByConstant(call)
        sizes = [_size(variable.shape) for variable in call.variables]
        return (
            cls(call) if sizes[0] == sizes[1] or "div" in str(call.function) else Gated(call, sizes.index(max(sizes)))
        )

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """A position depends on itself, where the maps have the same size; a gate changes everything."""
        return _pointwise(self.call, shapes)


class Gated(Product):
    """A map times a gate that is broadcast over it (squeeze-and-excitation): the gate is taken as a constant.

    All relevance goes to the map [Arras2017].
    """

    refuses = {"deconvolution": "deconvolution is not defined for a gate that the network computes from the image"}

    def __init__(self, call: Call, carrier: int) -> None:
        super().__init__(call)
        self.carrier = carrier  # which of the two inputs is the map

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """All of it to the map."""
        return (relevance, None) if self.carrier == 0 else (None, relevance)


@operation("maximum.default")
class Maximum(Called):
    """The larger of two maps at each place, as Maxout has it; every way back sends the signal to it."""

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """A position depends on itself, where the maps have the same size."""
        return _pointwise(self.call, shapes)

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """All of it to the larger one, half to each where they are equal."""
        return self.gradient(record, relevance)


@operation("cat.default")
class Concatenate(Called):
    """Maps side by side; every way back takes them apart again."""

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """A position depends on itself, where channels are put side by side."""
        return POINTWISE if self.call.arguments["dim"] in (1, -3) else None

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """Each map its own part."""
        return self.gradient(record, relevance)


def _pointwise(call: Call, shapes: tuple[tuple[int, ...], ...]) -> Reach | None:
    equal = len({shape[1:] for shape in shapes}) == 1
    return POINTWISE if equal and all(_same_everywhere(constant) for constant in call.constants) else None


def _same_everywhere(constant: Tensor) -> bool:
    return all(size == 1 for size in constant.shape[-2:]) and (constant.ndim < 4 or constant.shape[0] == 1)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _constant_first(call: Call) -> bool:
    return not isinstance(next(iter(call.arguments.values())), Variable)
