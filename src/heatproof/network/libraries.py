"""What libraries and publishers know of their networks: how each is built, and what pictures it wants."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from torch import nn

from heatproof.data.preprocessing import PRESETS, Preprocessing
from heatproof.errors import InputError
from heatproof.registry import unknown

PLACES365 = ("alexnet", "densenet161", "resnet18", "resnet50")


@dataclass(frozen=True)
class Blueprint:
    """How a library builds a network, and what it knows of it."""

    build: Callable[[int | None], nn.Module]  # number of classes, or the library's own
    preprocessing: Preprocessing
    published: Callable[[str], nn.Module]  # with the published weights of that name; may download
    classes: tuple[str, ...] | None
    rename: Callable[[str], str] = str  # from the names of tensors in published files to the module's
    weights_from: str | None = None  # where to get the weights, for networks that come without


def torchvision(name: str) -> Blueprint:
    """A classification network of torchvision."""
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise InputError(unknown("torchvision network", name, known))
    published = models.get_model_weights(name)
    best = published.DEFAULT
    preset = best.transforms()

    def build(classes: int | None) -> nn.Module:
        options: dict[str, Any] = {} if classes is None else {"num_classes": classes}
        if name in ("googlenet", "inception_v3"):
            options |= {"init_weights": True, "transform_input": True, "aux_logits": True}
        return cast(nn.Module, models.get_model(name, weights=None, **options))

    def with_published(weights: str) -> nn.Module:
        if weights not in published.__members__:
            raise InputError(unknown(f"weights of {name}", weights, ["DEFAULT", *published.__members__]))
        return cast(nn.Module, models.get_model(name, weights=weights))

    preprocessing = Preprocessing(
        resize=preset.resize_size[0],
        crop=preset.crop_size[0],
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation.value,
    )
    return Blueprint(build, preprocessing, with_published, tuple(best.meta["categories"]))


def timm(name: str) -> Blueprint:
    """A network of timm."""
    try:
        package: Any = importlib.import_module("timm")
    except ImportError as error:
        raise InputError('timm is not installed: pip install "heatproof[timm]"') from error
    from torchvision.models import AlexNet_Weights

    if not package.is_model(name):
        raise InputError(unknown("timm network", name, package.list_models()))
    config = package.data.resolve_data_config({}, model=package.create_model(name))
    crop = config["input_size"][1]

    def build(classes: int | None) -> nn.Module:
        return cast(nn.Module, package.create_model(name, **({} if classes is None else {"num_classes": classes})))

    def with_published(weights: str) -> nn.Module:
        full = name if weights == "DEFAULT" else f"{name}.{weights}"
        return cast(nn.Module, package.create_model(full, pretrained=True))

    preprocessing = Preprocessing(
        resize=int(crop / config["crop_pct"]),
        crop=crop,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config["interpolation"],
    )
    of_imagenet = config.get("num_classes", 1000) == 1000
    classes = tuple(AlexNet_Weights.DEFAULT.meta["categories"]) if of_imagenet else None
    return Blueprint(build, preprocessing, with_published, classes)


def places365(name: str) -> Blueprint:
    """A network that the authors of Places365 trained on it; checkpoints of theirs fit [Zhou2017]."""
    if name not in PLACES365:
        raise InputError(unknown("network of Places365", name, PLACES365))

    weights_from = (
        f"'heatproof fetch places365-{name}' downloads them from the Places365 project, --weights FILE takes them "
        "(or 'none': random ones)"
    )

    def build(classes: int | None) -> nn.Module:
        return torchvision(name).build(365 if classes is None else classes)

    def with_published(weights: str) -> nn.Module:
        raise InputError(f"weights {weights!r} of {name} are no file; {weights_from}")

    preprocessing = replace(PRESETS["imagenet"], resize=(256, 256), crop=224)
    return Blueprint(build, preprocessing, with_published, None, rename=_present_name, weights_from=weights_from)


def _present_name(name: str) -> str:
    """The name that torchvision gives a tensor now, from that in a checkpoint of 2017.

    >>> _present_name("features.module.0.weight"), _present_name("features.denseblock1.denselayer2.norm.1.weight")
    ('features.0.weight', 'features.denseblock1.denselayer2.norm1.weight')
    """
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.(\d)", r"\1\2", name.replace("module.", ""))
