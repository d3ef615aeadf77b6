"""A network that remembers what it was asked."""

from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.network.trial import Trial


class Recorded(Network):
    """It has no graph and is not tried, so that all that goes through the module is what somebody asks."""

    def trial(self, shape: tuple[int, ...], images: Tensor | None = None) -> Trial:
        """What a network without a graph would be."""
        return Trial(InputError("it is recorded"), classes=2, gives_logits=True)


def recording(module: nn.Module) -> tuple[Network, list[Tensor]]:
    """A network that does what ``module`` does, and the list that all its inputs (B, C, H, W) are kept in."""
    kept: list[Tensor] = []

    class Recording(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, x: Tensor) -> Tensor:
            kept.append(x.detach().clone().cpu())  # of this list there is one, however often the module is copied
            scores: Tensor = self.inner(x)
            return scores

    return Recorded(Recording(), name="recording"), kept
