"""Names that the shell completes, read from the sources: importing what registers them would take seconds."""

import re
from collections.abc import Callable
from importlib.resources import files

from heatproof.defaults import OFFLINE_DEFAULT

SOURCES = {
    "methods": ("heatmaps", "(?:METHODS[.])?"),
    "prefixes": ("heatmaps", "WRAPPERS[.]"),
    "replacements": ("perturbation", "REPLACEMENTS[.]"),
    "scores": ("perturbation/scores.py", "SCORES[.]"),
    "regions": ("perturbation", "REGIONS[.]"),
    "protocols": ("perturbation/protocols.py", "PROTOCOLS[.]"),
    "measures": ("studies", "FURTHER[.]"),
    "data": ("data/layouts", "DATASETS[.]"),
}
PRESETS = ("imagenet", "caffe", "none")
PRECISIONS = ("float32", "tf32", "bf16")
ENGINES = ("full", "incremental", "auto")
NETWORKS = (
    OFFLINE_DEFAULT,
    "torchvision:",
    "timm:",
    "places365:",
    "caffe:",
    "pt2:",
    "torchscript:",
    "onnx:",
    "transformers:",
)


def registered(kind: str) -> list[str]:
    """Names that the decorators of a room register, in alphabetical order.

    >>> registered("prefixes")
    ['negated', 'randomised']
    """
    room, register = SOURCES[kind]
    decorator = re.compile(rf'^@{register}register\("([^"]+)"', re.MULTILINE)
    place = files("heatproof").joinpath(*room.split("/"))
    sources = [place] if place.is_file() else [file for file in place.iterdir() if file.name.endswith(".py")]
    texts = (file.read_text(encoding="utf-8") for file in sources)
    return sorted(name for text in texts for name in decorator.findall(text))


def one_of(kind: str) -> Callable[[str], list[str]]:
    """Completes one name."""
    return lambda incomplete: [name for name in registered(kind) if name.startswith(incomplete)]


def some_of(kind: str) -> Callable[[str], list[str]]:
    """Completes the last of several names with commas between them.

    >>> some_of("scores")("logit,mar")
    ['logit,margin']
    """

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in one_of(kind)(last)]

    return complete


def among(names: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Completes one of these."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def some_methods(incomplete: str) -> list[str]:
    """Completes the last of several methods, also behind prefixes.

    >>> some_methods("lrp-epsilon,negated:sob")
    ['lrp-epsilon,negated:sobel']
    """
    before = incomplete[: max(incomplete.rfind(","), incomplete.rfind(":")) + 1]
    known = [*registered("methods"), *(f"{prefix}:" for prefix in registered("prefixes"))]
    return [before + name for name in known if name.startswith(incomplete[len(before) :])]


def data_sets(incomplete: str) -> list[str]:
    """Completes the name before the colon of ``--data``."""
    return [f"{name}:" for name in registered("data") if name.startswith(incomplete)]
