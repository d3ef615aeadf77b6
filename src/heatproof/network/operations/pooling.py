"""Pooling: the maximum or the mean of a neighbourhood."""

from math import inf
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from heatproof.network.operations.operation import Called, Reach, operation, pair


class Pool(Called):
    """A number computed from each neighbourhood of a map."""

    fill: ClassVar[float]  # what the padding counts as
    monotone = True

    def apart(self, *shapes: tuple[int, ...]) -> bool:
        """Channels are, where positions are pooled."""
        return len(shapes[0]) == 3

    def reach(self, *shapes: tuple[int, ...]) -> Reach | None:
        """The neighbourhood; an adaptive one only where all are equally large."""
        given = self.call.arguments
        if "output_size" not in given:
            stride, padding = given["stride"] or given["kernel_size"], given["padding"]
            spread = pair(given.get("dilation", 1))
            height, width = ((k - 1) * d + 1 for k, d in zip(pair(given["kernel_size"]), spread, strict=True))
            return Reach((height, width), pair(stride), pair(padding), self.fill)
        sizes, wanted = shapes[0][-2:], pair(given["output_size"])
        if any(size % parts for size, parts in zip(sizes, wanted, strict=True)):
            return None
        kernel = (sizes[0] // wanted[0], sizes[1] // wanted[1])
        return Reach(kernel, kernel, fill=self.fill)


@operation("max_pool2d.default", "max_pool2d_with_indices.default", "adaptive_max_pool2d.default")
class MaxPool(Pool):
    """The maximum; every way back sends the signal to the position of the maximum."""

    fill = -inf
    passes = "moved"

    def evaluate_window(self, reach: Reach, *inputs: Tensor) -> Tensor:
        """The maxima without padding."""
        dilation = pair(self.call.arguments.get("dilation", 1))
        kernel = [(size - 1) // d + 1 for size, d in zip(reach.size, dilation, strict=True)]
        return F.max_pool2d(inputs[0], kernel, reach.stride, dilation=dilation)


@operation("avg_pool2d.default", "adaptive_avg_pool2d.default")
class MeanPool(Pool):
    """The mean; relevance in proportion to what each input adds."""

    fill = 0.0
    passes = "in proportion"

    def evaluate_window(self, reach: Reach, *inputs: Tensor) -> Tensor:
        """The means without padding, each over as many values as the neighbourhood has."""
        divisor = self.call.arguments.get("divisor_override")
        return F.avg_pool2d(inputs[0], reach.size, reach.stride, divisor_override=divisor)

    def window_factor(self, *shapes: tuple[int, ...]) -> Tensor | None:
        """Where the mean at a border is over fewer values than the neighbourhood has: the ratio of the two."""
        if self.call.arguments.get("divisor_override") or "output_size" in self.call.arguments:
            return None
        ones = torch.ones(1, 1, *shapes[0][-2:], dtype=torch.float64)
        arguments = {**self.call.arguments, "self": ones}
        covered = self.call.function(**arguments | {"divisor_override": 1})
        height, width = pair(self.call.arguments["kernel_size"])
        factor = height * width * self.call.function(**arguments) / covered
        return None if bool((factor == 1).all()) else factor[0, 0]


@operation("avg_pool1d.default", "adaptive_avg_pool1d.default")
class MeanAlong(Called):
    """Means along the last dimension; relevance in proportion to what each input adds."""

    passes = "in proportion"
    monotone = True


class Reduction(Called):
    """A number computed from all values along some dimensions."""

    monotone = True

    def apart(self, *shapes: tuple[int, ...]) -> bool:
        """Channels are, where neither they nor images are reduced."""
        along = self.call.arguments.get("dim")
        numbers = [along] if isinstance(along, int) else list(along or ())
        return bool(numbers) and all(number % (len(shapes[0]) + 1) > 1 for number in numbers)


@operation("mean.dim", "sum.dim_IntList", "cumsum.default")
class Sum(Reduction):
    """The sum or the mean along some dimensions; relevance in proportion to what each input adds."""

    passes = "in proportion"


@operation("amax.default", "amin.default", "max.dim", "min.dim")
class Largest(Reduction):
    """The largest or the least value along some dimensions; every way back sends the signal to it."""

    passes = "moved"
