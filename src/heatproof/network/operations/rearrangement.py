"""Rearrangements: values move or are dropped, none is computed. Every way back moves them back."""

from torch import Tensor

from heatproof.network.operations.operation import Called, Record, Signals, operation
from heatproof.network.rules import Rule


@operation(
    "flatten.using_ints", "view.default", "reshape.default", "unflatten.int", "permute.default", "transpose.int",
    "squeeze.dim", "squeeze.dims", "unsqueeze.default", "select.int", "slice.Tensor", "narrow.default",
    "channel_shuffle.default", "roll.default", "pixel_unshuffle.default",
)  # fmt: skip
class Rearrangement(Called):
    """Another shape, order or part of the same values."""

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """Moved back."""
        return self.gradient(record, relevance)


@operation("pad.default", "constant_pad_nd.default")
class Pad(Rearrangement):
    """A border of constants, or of mirrored or repeated values."""
