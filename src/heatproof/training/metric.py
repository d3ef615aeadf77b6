"""AOPC as a metric of torchmetrics."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from heatproof.errors import InputError
from heatproof.measures import aopc
from heatproof.perturbation import Curves


class AOPC(Metric):
    r"""The mean AOPC of all images, over batches and processes; higher is better [Samek2017].

    .. math:: \frac{1}{N} \sum_{n=1}^{N} \mathrm{AOPC}_n

    Curves come from ``heatproof.perturb``. With those of the random order beside them, it is the mean AOPC above the
    random order. Its unit is that of the score; its states are sums, so that processes may hold different numbers of
    images.

    Args:
        options: of ``torchmetrics.Metric``.

    Raises:
        InputError: for curves of the least relevant regions first (where lower is better), and for curves of another
            score, replacement or number of steps than those before.

    >>> from torch import nn
    >>> import heatproof as hp
    >>> network = hp.Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 18 * 18, 2)))
    >>> metric = AOPC()
    >>> for images in torch.rand(2, 4, 3, 18, 18):
    ...     heatmaps = hp.explain(network, images, "gradient-x-input")
    ...     metric.update(hp.perturb(network, images, heatmaps, repeats=1))
    >>> metric.compute().shape
    torch.Size([])
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - torchmetrics' own
        super().__init__(**options)
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")  # float32, since some devices have no float64
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self._kind: tuple[object, ...] | None = None

    def update(self, curves: Curves, reference: Curves | None = None) -> None:
        """Adds the images of ``curves``; AOPC minus that of ``reference``, if one is given."""
        for given in (curves, reference):
            if given is not None and given.order == "lerf":
                raise InputError("expected curves of order morf, got lerf, for which lower is better")
        kind = (curves.protocol.score, curves.protocol.replacement, curves.steps, reference is None)
        if self._kind not in (None, kind):
            raise InputError(
                "curves must share score, replacement, number of steps, and whether there is a reference: expected "
                f"{self._kind}, got {kind}"
            )
        self._kind = kind
        values = aopc(curves) if reference is None else aopc(curves) - aopc(reference)
        self.total += values.sum().to(self.total)
        self.count += len(values)

    def compute(self) -> Tensor:
        """The mean over all images."""
        return self.total / self.count

    def reset(self) -> None:
        """Forgets all images."""
        super().reset()
        self._kind = None
