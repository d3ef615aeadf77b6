"""Where training happens: the quality of heatmaps, epoch by epoch, without labels."""

from typing import TYPE_CHECKING

from heatproof.errors import InputError
from heatproof.training.hook import HeatmapQuality

if TYPE_CHECKING:
    from heatproof.training.callback import HeatmapQualityCallback
    from heatproof.training.metric import AOPC

__all__ = ["AOPC", "HeatmapQuality", "HeatmapQualityCallback"]

_OPTIONAL = {"AOPC": ("metric", "torchmetrics"), "HeatmapQualityCallback": ("callback", "lightning")}


def __getattr__(name: str) -> object:
    """What needs other packages, imported when it is asked for."""
    if name not in _OPTIONAL:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    file, package = _OPTIONAL[name]
    from importlib import import_module

    try:
        return getattr(import_module(f"{__name__}.{file}"), name)
    except ModuleNotFoundError as error:
        raise InputError(f'{name} needs {package}: pip install "heatproof[training]" ({error})') from error
