"""Sums and products of whole maps."""

from torch import Tensor

from heatproof.network.operations.operation import Call, Called, Operation, Record, Signals, Variable, operation
from heatproof.network.rules import Rule


class ByConstant(Called):
    """One map combined with a constant: relevance passes unchanged, one input makes one output."""

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


@operation("cat.default")
class Concatenate(Called):
    """Maps side by side; every way back takes them apart again."""

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """Each map its own part."""
        return self.gradient(record, relevance)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _constant_first(call: Call) -> bool:
    return not isinstance(next(iter(call.arguments.values())), Variable)
