"""Where images come from: files, folders, data sets and built-in photographs, read as a network wants them."""

from heatproof.data.ahead import read_ahead
from heatproof.data.dataset import Dataset, Member
from heatproof.data.decoding import MAX_PIXELS, read_picture
from heatproof.data.layouts import DATASETS, open_dataset
from heatproof.data.pictures import Pictures, as_dataset, load_dataset, load_images, read_pictures, read_shard
from heatproof.data.preprocessing import PRESETS, Preprocessing
from heatproof.data.sources import built_in_photographs, find_pictures

__all__ = [
    "DATASETS",
    "MAX_PIXELS",
    "PRESETS",
    "Dataset",
    "Member",
    "Pictures",
    "Preprocessing",
    "as_dataset",
    "built_in_photographs",
    "find_pictures",
    "load_dataset",
    "load_images",
    "open_dataset",
    "read_ahead",
    "read_picture",
    "read_pictures",
    "read_shard",
]
