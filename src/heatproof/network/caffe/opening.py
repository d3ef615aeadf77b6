"""A network of Caffe with all that a user needs of it: module, preprocessing, notes."""

from collections.abc import Sequence
from pathlib import Path

from heatproof.data.preprocessing import PRESETS, Preprocessing
from heatproof.errors import InputError
from heatproof.network.caffe.network import CaffeNetwork, read_network

USUAL_SIDE = 256  # to which Caffe's examples warp pictures before they crop them
SMALLEST_CROP = 192  # images below are no crops of that


def open_network(
    prototxt: Path, weights: str | Path | None, mean: Sequence[float] | None
) -> tuple[CaffeNetwork, Preprocessing, tuple[str, ...]]:
    """The module, how it wants its pictures, and what a user should know.

    Pictures are warped to 256 × 256 and cropped to the network's size, or resized to it where it is larger, or below
    192. Channels are BGR, values from 0 to 255, less the ``mean`` of each channel; by default 104, 117, 123.
    """
    if not prototxt.is_file():
        raise InputError(
            f"caffe: there is no file {str(prototxt)!r}; 'heatproof fetch' lists networks of Caffe that it can download"
        )
    random = weights is None or str(weights) == "none"
    module = read_network(prototxt, None if random else Path(str(weights)))
    channels, height, width = module.input_shape
    usual = PRESETS["caffe"].mean if channels == 3 else (0.0,)
    crops = SMALLEST_CROP <= max(height, width) <= USUAL_SIDE
    preprocessing = Preprocessing(
        resize=(USUAL_SIDE, USUAL_SIDE) if crops else (height, width),
        crop=(height, width),
        mean=tuple(usual if mean is None else mean),
        std=(1.0,) * channels,
        channels="bgr" if channels == 3 else "rgb",
        scale=255.0,
    )
    notes = [f"{module.title} has random weights: its heatmaps explain nothing"] if random else []
    if mean is None:
        shown = ", ".join(f"{value:g}" for value in usual)
        notes.append(f"no mean was given for {module.title}: {shown} is subtracted; set another with --mean (mean=…)")
    return module, preprocessing, tuple(notes)
