"""Data sets as their owners lay them out on disk, by name; one file per family."""

from heatproof.data.layouts import arrow, cifar, folder, imagenet, lists, parquet, places, sun, webdataset  # noqa: F401 - registers
from heatproof.data.layouts.opening import DATASETS, names_dataset, open_dataset

__all__ = ["DATASETS", "names_dataset", "open_dataset"]
