"""How a network shows in a notebook."""

import torch
from torch import nn

from heatproof.data.preprocessing import Preprocessing
from heatproof.showing import facts_html


class Shown:
    """What has a module, a name and a preprocessing shows as a small table."""

    module: nn.Module
    name: str
    preprocessing: Preprocessing
    classes: tuple[str, ...] | None
    notes: tuple[str, ...]
    dtype: torch.dtype
    device: torch.device

    def _repr_html_(self) -> str:
        parameters = sum(parameter.numel() for parameter in self.module.parameters())
        described = self.preprocessing.describe()
        facts = {
            "classes": f"{len(self.classes)} with names" if self.classes else "without names",
            "parameters": f"{parameters:,}",
            "computes": f"{self.dtype} on {self.device}".replace("torch.", ""),
            "preprocessing": ", ".join(f"{name} {value}" for name, value in described.items() if value is not None),
        }
        return facts_html(f"Network {self.name}", facts | ({"notes": "; ".join(self.notes)} if self.notes else {}))
