"""TorchScript: a language of its own in an archive, run by torch's interpreter."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.network.copying import loaded_again
from heatproof.network.formats.archives import LARGEST_TEXT, entries, read_entry

KIND = "a TorchScript program (of torch.jit.save)"
LOST = "{} is TorchScript, which has no graph here: no deconvolution, no LRP, full evaluation"

# The language knows no files but through these, and no classes of C++ but through the last.
_REACHES_OUT = re.compile(rb"\bsave\s*\(|\bfrom_file\s*\(|\bops\.(?!aten\b|prim\b|torchvision\b)\w+|\btorch\.classes\b")


class Script(nn.Module):
    """A TorchScript program as a module that can be copied with its parameters."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program
        for parameter in program.parameters():
            parameter.requires_grad_(False)  # a copy of one that is tracked would be no leaf

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401 - what it returns is checked by whoever reads it
        """What the program returns."""
        return self.program(images)


def as_module(module: nn.Module) -> nn.Module:
    """A TorchScript program as a module that can be copied; others are left as they are."""
    return Script(loaded_again(module)) if isinstance(module, torch.jit.ScriptModule) else module


def read_script(path: Path) -> tuple[nn.Module, None, tuple[str, ...]]:
    """The module of a TorchScript program, nothing of its images' size, and a note on what is lost.

    Raises:
        InputError: for what is none, or for one that opens files or wants classes of C++.
    """
    found = entries(path, KIND)
    _check(path, found)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TorchScript is deprecated
            program = torch.jit.load(str(path), map_location="cpu").eval()
    except Exception as error:  # a damaged one can raise anything
        raise InputError(f"{path.name} cannot be loaded by torch.jit.load: {str(error).strip():.300}") from error
    return Script(program), None, (LOST.format(path.name),)


def _check(path: Path, found: Mapping[str, zipfile.ZipInfo]) -> None:
    code = [entry for name, entry in found.items() if name.startswith("code/") and name.endswith(".py")]
    if not code or "constants.pkl" not in found:
        raise InputError(f"expected {KIND}, got {path.name}, which holds no code of it")
    for entry in code:
        reaching = _REACHES_OUT.search(read_entry(path, entry, LARGEST_TEXT))
        if reaching:
            text = reaching[0].decode("ascii", "replace")
            raise InputError(f"{path.name} is refused: its code says {text!r}, which could reach beyond the network")
