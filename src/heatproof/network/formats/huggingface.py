"""Image classifiers of Hugging Face's ``transformers``: a folder with weights, configuration and preprocessing."""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from heatproof.data.preprocessing import Preprocessing
from heatproof.errors import InputError
from heatproof.json_objects import read_json_object
from heatproof.lazily import optional
from heatproof.network.formats.archives import first_line
from heatproof.network.formats.configuration import ADAPTER, check_config, no_larger_than

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")

_PART = re.compile(r"\w[\w.\-]{0,200}\.safetensors")
_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
_KNOWN = (
    "do_convert_rgb", "do_reduce_labels", "do_resize", "do_rescale", "do_normalize", "do_center_crop",
    "do_flip_channel_order",
)  # fmt: skip


class Logits(nn.Module):
    """A classifier of transformers, of whose output the logits alone are returned."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """(B, classes) scores of normalised images (B, C, H, W)."""
        logits: Tensor = self.model(pixel_values=images).logits
        return logits


def as_logits(module: nn.Module) -> nn.Module:
    """A module that returns logits, of a classifier of transformers; others are left as they are."""
    return Logits(module) if _is_classifier(module) else module


def class_names(module: nn.Module) -> tuple[str, ...] | None:
    """The names of its classes by index, if it knows them and they are not only numbers (``LABEL_0``)."""
    if not _is_classifier(module):
        return None
    labels: Mapping[int, str] = module.config.id2label  # type: ignore[union-attr, assignment]
    if sorted(labels) != list(range(len(labels))) or all(labels[i] == f"LABEL_{i}" for i in labels):
        return None
    return tuple(str(labels[index]) for index in range(len(labels)))


def _is_classifier(module: nn.Module) -> bool:
    reads_pixels = getattr(module, "main_input_name", "") == "pixel_values"
    return reads_pixels and hasattr(getattr(module, "config", None), "id2label")


def read_classifier(name: str, *, download: bool) -> tuple[nn.Module, Preprocessing | None]:
    """The model in a folder, and its preprocessing if the folder says it; code in it is never run.

    Raises:
        InputError: if the folder lacks something, its weights do not fit, or its preprocessing cannot be expressed.
    """
    folder = Path(name)
    if not folder.is_dir() and not download:
        raise InputError(
            f"network: there is no folder {name!r}; to download a network of that name from the Hugging Face "
            "hub, add --download (download=True)"
        )
    library = optional("transformers", extra="transformers", what="Hugging Face's networks")
    folder = folder if folder.is_dir() else _downloaded(name)
    config = read_json_object(folder / CONFIG)
    if not any((folder / file).is_file() for file in WEIGHTS):
        raise InputError(f"expected {WEIGHTS[0]} in {name!r}, found none; pickled weights (.bin) are not read")
    try:
        check_config(config)
        _check_files(folder)
    except InputError as error:
        raise InputError(f"{name!r} is refused: {error}") from error
    processor = folder / PROCESSOR
    preprocessing = preprocessing_of(read_json_object(processor)) if processor.is_file() else None
    return _load(library, folder), preprocessing


def _load(library: Any, folder: Path) -> nn.Module:  # noqa: ANN401 - a module
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    try:
        with warnings.catch_warnings(), _silent(library), no_larger_than(size):
            warnings.simplefilter("ignore")
            model, told = library.AutoModelForImageClassification.from_pretrained(
                str(folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except InputError as error:
        raise InputError(f"{folder.name!r} is refused: {error}") from error
    except Exception as error:  # transformers raises whatever comes
        raise InputError(
            f"{folder.name!r} is no image classifier that transformers can load: {first_line(error)}"
        ) from error
    for problem in ("missing_keys", "mismatched_keys", "error_msgs"):
        if told.get(problem):
            found = ", ".join(sorted(map(str, told[problem]))[:3])
            raise InputError(f"weights in {folder.name!r} do not fit: {problem.replace('_', ' ')} {found}")
    module: nn.Module = model
    return module


def _check_files(folder: Path) -> None:
    """Other files that transformers would follow: adapters, and parts of the weights outside of the folder."""
    if (folder / ADAPTER).exists():
        raise InputError(f"it has an adapter ({ADAPTER}), which names another network; merge the two and save them")
    index = folder / WEIGHTS[1]
    if index.is_file() and not (folder / WEIGHTS[0]).is_file():
        parts = read_json_object(index).get("weight_map")
        for name in parts.values() if isinstance(parts, dict) else [parts]:
            if not isinstance(name, str) or not _PART.fullmatch(name) or not (folder / name).is_file():
                raise InputError(f"expected names of .safetensors files in it in {WEIGHTS[1]}, got {name!r:.100}")


def preprocessing_of(config: Mapping[str, Any]) -> Preprocessing:
    """What the configuration of an image processor says.

    >>> found = preprocessing_of({"size": {"shortest_edge": 224}, "crop_pct": 0.875, "image_mean": [0.5] * 3,
    ...                           "image_std": [0.5] * 3, "resample": 3})
    >>> found.resize, found.crop, found.interpolation
    (256, 224, 'bicubic')

    Raises:
        InputError: for a step that :class:`heatproof.Preprocessing` has not, such as padding.
    """
    kind = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")
    asked = [key for key, on in config.items() if on is True and key not in _KNOWN]
    odd = [key for key in asked if key.startswith("do_") or key == "rescale_offset"]
    if odd or kind.startswith("Timm"):
        raise InputError(
            f"{PROCESSOR} asks for {', '.join(odd) or kind}, which heatproof cannot do; say what the network wants "
            "yourself: --preset, --resize, --crop, --mean, --std (preprocessing=Preprocessing(…))"
        )
    resize, crop = _sizes(config)
    scale = 255 * float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 255.0
    said = config if config.get("do_normalize", True) else {}
    std = tuple(float(value) for value in said.get("image_std") or (1.0, 1.0, 1.0))
    return Preprocessing(
        resize=resize,
        crop=crop,
        mean=tuple(said.get("image_mean") or (0.0, 0.0, 0.0)),
        std=tuple(value**2 for value in std) if config.get("include_top") else std,  # EfficientNet's divides twice
        interpolation=_FILTERS.get(config.get("resample", 2), "unknown"),
        channels="bgr" if config.get("do_flip_channel_order") else "rgb",
        scale=1.0 if abs(scale - 1) < 1e-6 else scale,
    )


Sides = int | tuple[int, int] | None


def _sizes(config: Mapping[str, Any]) -> tuple[Sides, Sides]:
    """The size to which pictures are resized, and that of the crop."""
    size = _sides(config.get("size")) if config.get("do_resize", True) else None
    crop = _sides(config.get("crop_size")) if config.get("do_center_crop", "crop_size" in config) else None
    if isinstance(crop, int):
        crop = (crop, crop)
    share = config.get("crop_pct") or (224 / 256 if "ConvNext" in str(config.get("image_processor_type")) else None)
    if share and isinstance(size, int) and crop is None:  # as ConvNeXt does below 384 pixels
        return (int(size / share), size) if size < 384 else ((size, size), None)
    return size, crop[0] if crop and crop[0] == crop[1] else crop


def _sides(size: Any) -> Sides:  # noqa: ANN401 - whatever JSON holds
    """A short side, or (height, width)."""
    if isinstance(size, Mapping):
        if set(size) == {"shortest_edge"}:
            return int(size["shortest_edge"])
        if set(size) == {"height", "width"}:
            return int(size["height"]), int(size["width"])
    elif isinstance(size, int):
        return size, size
    raise InputError(f"{PROCESSOR}: expected a size with shortest_edge, or height and width, got {size!r:.100}")


def _downloaded(name: str) -> Path:
    """A model of the hub, in its cache."""
    hub = optional("huggingface_hub", extra="transformers", what="downloads")
    try:
        return Path(hub.snapshot_download(name, allow_patterns=[CONFIG, PROCESSOR, "*.safetensors", WEIGHTS[1]]))
    except Exception as error:  # no network, no such name, no right to it
        raise InputError(f"{name!r} cannot be downloaded: {first_line(error)}") from error


@contextmanager
def _silent(library: Any) -> Iterator[None]:  # noqa: ANN401 - a module
    """Hides the library's progress bar, which would appear in any terminal and log."""
    logging = library.utils.logging
    before = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if before:
            logging.enable_progress_bar()
