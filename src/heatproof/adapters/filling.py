"""What a removed value becomes, by the names that Quantus has for it."""

import numpy as np
import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.randomness import addressed
from heatproof.registry import unknown


class Fill:
    """What a removed value becomes, made once from the untouched image."""

    OPTIONS = ("perturb_baseline", "uniform_low", "uniform_high")
    NAMES = ("black", "white", "mean", "uniform")

    def __init__(
        self, metric: str, *, perturb_baseline: str | float, uniform_low: float = 0.0, uniform_high: float = 1.0
    ) -> None:
        number = isinstance(perturb_baseline, int | float) and not isinstance(perturb_baseline, bool)
        if not number and perturb_baseline not in self.NAMES:
            raise InputError(
                unknown(f"perturb_baseline of {metric}:", str(perturb_baseline), [*self.NAMES, "a number"])
            )
        self.baseline, self.low, self.high = perturb_baseline, uniform_low, uniform_high

    def of(self, inputs: Tensor, identities: list[str]) -> Tensor:
        """(N, C, H, W) in the unit of the inputs."""
        if self.baseline == "uniform":
            draws = [
                addressed(seed=0, image=image, purpose="quantus uniform").uniform(self.low, self.high, inputs.shape[1:])
                for image in identities
            ]
            return torch.from_numpy(np.stack(draws)).to(inputs)
        flat = inputs.flatten(start_dim=1)
        values = {"black": flat.amin(dim=1), "white": flat.amax(dim=1), "mean": flat.mean(dim=1)}
        value = values.get(str(self.baseline), torch.full((len(inputs),), 0.0))
        if str(self.baseline) not in values:
            value = torch.full((len(inputs),), float(self.baseline))
        return value[:, None, None, None].expand_as(inputs).to(inputs)
