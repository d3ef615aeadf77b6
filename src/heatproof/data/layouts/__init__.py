"""Data sets as their owners lay them out on disk, by name; one file per family."""

from heatproof.data.layouts import cifar, folder, imagenet, lists, parquet, places, sun
from heatproof.data.layouts.opening import DATASETS, open_dataset

__all__ = ["DATASETS", "cifar", "folder", "imagenet", "lists", "open_dataset", "parquet", "places", "sun"]
