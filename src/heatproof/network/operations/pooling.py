"""Pooling: the maximum or the mean of a neighbourhood."""

from torch import Tensor

from heatproof.network.operations.operation import Called, Record, Signals, operation
from heatproof.network.rules import Rule


@operation("max_pool2d.default", "adaptive_max_pool2d.default")
class MaxPool(Called):
    """The maximum; every way back sends the signal to the position of the maximum."""

    def evaluate(self, *inputs: Tensor) -> Tensor:
        """The maxima (adaptive pooling also returns their positions, which are dropped)."""
        value = self.call(*inputs)
        maxima: Tensor = value[0] if isinstance(value, tuple) else value
        return maxima

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """All of it to the maximum."""
        return self.gradient(record, relevance)


@operation("avg_pool2d.default", "adaptive_avg_pool2d.default", "mean.dim")
class MeanPool(Called):
    """The mean; relevance in proportion to what each input adds."""

    def relevance(self, record: Record, relevance: Tensor, rule: Rule | None) -> Signals:
        """In proportion to each input's contribution."""
        return self.proportional(record, relevance)
