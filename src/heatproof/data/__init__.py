"""Where images come from: files, folders and built-in photographs, read as a network wants them."""

from heatproof.data.decoding import MAX_PIXELS, read_picture
from heatproof.data.photographs import built_in_photographs
from heatproof.data.pictures import Pictures, load_images, read_pictures
from heatproof.data.preprocessing import PRESETS, Preprocessing
from heatproof.data.sources import find_pictures

__all__ = [
    "MAX_PIXELS",
    "PRESETS",
    "Pictures",
    "Preprocessing",
    "built_in_photographs",
    "find_pictures",
    "load_images",
    "read_picture",
    "read_pictures",
]
