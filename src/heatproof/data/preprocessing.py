"""Preprocessing of pictures for a network: resize and crop once, then normalise inside the network."""

import math
import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from heatproof.bounds import LEVEL, PIXELS, SCALE, SIDE
from heatproof.data.decoding import MAX_PIXELS
from heatproof.errors import InputError
from heatproof.registry import unknown

Size = int | tuple[int, int]

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")
CHANNELS = ("rgb", "bgr")


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its pictures; heights come before widths.

    Pictures are resized and cropped by :meth:`fit` and stay RGB in [0, 1], the space in which images are shown
    and perturbed. :meth:`normalise` is the rest, and part of the network.

    Args:
        resize: the short side, keeping the aspect ratio, or (height, width); None keeps the size.
        crop: the centre to keep, a square or (height, width); None keeps everything.
        mean: subtracted per channel, in the network's own channel order and on its scale; as many as there are
            channels. Pictures become three channels, or one (grey); other numbers are for tensors. Zeros, with ones
            as std, are for any number of channels.
        std: divided by, per channel, in the same order and on the same scale.
        interpolation: nearest, bilinear, bicubic or lanczos.
        channels: the order in which the network wants them, rgb or bgr.
        scale: the network wants values from 0 to ``scale``: 1, or 255 for Caffe.
        max_pixels: the most that a picture may have, as it comes and resized; larger ones are refused undecoded.

    >>> caffe = Preprocessing(channels="bgr", scale=255.0, mean=(104.0, 117.0, 123.0))
    >>> red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    >>> caffe.normalise(red).flatten().tolist()
    [-104.0, -117.0, 132.0]
    """

    resize: Size | None = None
    crop: Size | None = None
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    interpolation: str = "bilinear"
    channels: str = "rgb"
    scale: float = 1.0
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        # Lists become tuples and whole numbers floats, so what JSON gives back is equal to what went in.
        for name in ("resize", "crop"):
            object.__setattr__(self, name, _as_size(name, getattr(self, name)))
        for name in ("mean", "std"):
            object.__setattr__(self, name, _as_numbers(name, getattr(self, name)))
        object.__setattr__(self, "scale", *_as_numbers("scale", [self.scale]))
        _check_values(self)
        _check_crop(self)

    def fit(self, picture: Image.Image) -> Image.Image:
        """An RGB picture resized and cropped, as torchvision does it; grey for a network with one channel.

        Raises:
            InputError: for a picture that is not RGB or is smaller than the crop, which is never padded, and for a
                network that has neither one nor three channels.

        >>> Preprocessing(resize=256, crop=224).fit(Image.new("RGB", (600, 400))).size
        (224, 224)
        """
        if picture.mode != "RGB":
            raise InputError(f"expected an RGB picture, got mode {picture.mode!r}; read it with read_picture")
        if len(self.mean) not in (1, 3):
            raise InputError(
                f"pictures have 3 channels, or 1 where mean and std have one value; got {len(self.mean)}: images "
                "of more channels come as tensors, in Python"
            )
        coloured = picture if len(self.mean) == 3 else picture.convert("L")
        return self._crop(self._resize(coloured))

    def normalise(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W), RGB in [0, 1], as the network wants them: channel order, scale, mean, std."""
        expected = len(self.mean)
        fits = images.ndim == 4 and (images.shape[1] == expected or self._same_for_all)
        if not fits or not images.is_floating_point():
            raise InputError(
                f"expected floating-point images of shape (N, {expected}, H, W), got {images.dtype} of shape "
                f"{tuple(images.shape)}; mean and std have {expected} values, one per channel"
            )
        if self._same_for_all and images.shape[1] != expected:
            return images * self.scale
        ordered = images.flip(1) if self.channels == "bgr" else images
        mean, std = (images.new_tensor(numbers)[:, None, None] for numbers in (self.mean, self.std))  # (C, 1, 1)
        return (ordered * self.scale - mean) / std

    def box(self) -> tuple[Tensor, Tensor]:
        """Lowest and highest value that a normalised pixel can take, each (1, C, 1, 1), or alike for all channels.

        >>> low, high = Preprocessing(mean=(0.5,), std=(0.25,)).box()
        >>> low.item(), high.item()
        (-2.0, 2.0)
        """
        black = torch.zeros(1, 1 if self._same_for_all else len(self.mean), 1, 1, dtype=torch.float32)
        return self.normalise(black), self.normalise(torch.ones_like(black))

    @property
    def _same_for_all(self) -> bool:
        """Whether nothing is said of single channels, so that any number of them will do."""
        return not any(self.mean) and set(self.std) == {1.0} and self.channels == "rgb"

    def describe(self) -> dict[str, Any]:
        """Every setting by name, ready for JSON; ``Preprocessing(**described)`` makes it again."""
        return asdict(self)

    def _resize(self, picture: Image.Image) -> Image.Image:
        from torchvision.transforms import functional as F  # takes seconds, so when a picture comes

        if self.resize is None:
            return picture
        short, long = sorted(picture.size)
        height, width = (self.resize, self.resize * long // short) if isinstance(self.resize, int) else self.resize
        if height * width > self.max_pixels:
            raise InputError(
                f"expected at most {self.max_pixels:,} pixels after resizing, got {height} x {width} from "
                f"{picture.height} x {picture.width} (height x width); crop the picture, or give resize both sides"
            )
        size = self.resize if isinstance(self.resize, int) else list(self.resize)
        resized: Image.Image = F.resize(picture, size, F.InterpolationMode(self.interpolation))
        return resized

    def _crop(self, picture: Image.Image) -> Image.Image:
        from torchvision.transforms import functional as F

        if self.crop is None:
            return picture
        height, width = _sides(self.crop)
        if height > picture.height or width > picture.width:
            raise InputError(
                f"expected a picture at least as large as the crop, {height} x {width}, got {picture.height} x "
                f"{picture.width} (height x width); set resize, or give a larger picture"
            )
        cropped: Image.Image = F.center_crop(picture, [height, width])
        return cropped


def _sides(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _as_size(name: str, value: Any) -> Size | None:  # noqa: ANN401 - checks what a caller gave, whatever it is
    if value is None:
        return None
    several = isinstance(value, Sequence) and not isinstance(value, str)
    try:
        sides = tuple(operator.index(side) for side in (value if several else [value]))
    except TypeError:
        sides = ()
    if len(sides) != (2 if several else 1) or isinstance(value, bool):
        raise InputError(f"expected {name} to be a positive whole number or (height, width), got {value!r}")
    for side in sides:
        SIDE.check(name, side)
    return (sides[0], sides[1]) if several else sides[0]


def _as_numbers(name: str, values: Any) -> tuple[float, ...]:  # noqa: ANN401 - as above
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        raise InputError(f"expected {name} to be made of finite numbers, got {values!r}")
    return numbers


def _check_values(given: Preprocessing) -> None:
    if given.interpolation not in INTERPOLATIONS:
        raise InputError(unknown("interpolation", str(given.interpolation), INTERPOLATIONS))
    if given.channels not in CHANNELS:
        raise InputError(unknown("order of channels", str(given.channels), CHANNELS))
    if len(given.mean) != len(given.std) or not given.mean:
        raise InputError(
            f"expected as many values of mean as of std, one for each channel, got {len(given.mean)} and "
            f"{len(given.std)}"
        )
    for mean, std in zip(given.mean, given.std, strict=True):
        LEVEL.check("mean", mean)
        SCALE.check("std, which stands in the network's channel order as mean does,", std)
    SCALE.check("scale (1, or 255 for Caffe)", given.scale)
    PIXELS.check("max_pixels", given.max_pixels)
    if given.channels == "bgr" and len(given.mean) not in (1, 3):
        raise InputError(f"expected mean and std with 3 values for the channels bgr, got {len(given.mean)}")


def _check_crop(given: Preprocessing) -> None:
    if given.resize is None or given.crop is None:
        return
    height, width = _sides(given.crop)
    # A short side of 256 has room for a crop of (224, 448) in some pictures, for (300, 300) in none.
    tall, wide = _sides(given.resize)
    fits = min(height, width) <= tall if isinstance(given.resize, int) else height <= tall and width <= wide
    if not fits:
        raise InputError(f"expected a crop no larger than resize = {given.resize}, got crop = {given.crop}")


PRESETS = {
    "imagenet": Preprocessing(resize=256, crop=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "caffe": Preprocessing(resize=(256, 256), crop=227, mean=(104.0, 117.0, 123.0), channels="bgr", scale=255.0),
    "none": Preprocessing(),
}
"""Preprocessing that many networks share, by name; timm and torchvision weights bring their own."""
