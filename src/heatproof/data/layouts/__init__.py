"""Data sets as their owners lay them out on disk, by name; one file per family."""

from heatproof.data.layouts.opening import DATASETS, names_dataset, open_dataset
from heatproof.registry import import_modules

__all__ = ["DATASETS", "names_dataset", "open_dataset"]

import_modules(__name__)  # their decorators register the layouts
