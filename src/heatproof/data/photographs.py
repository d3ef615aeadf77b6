"""Photographs for demonstrations, from packages that ship some; the packages are located, never imported."""

from importlib.util import find_spec
from pathlib import Path

from heatproof.errors import InputError

# Of scikit-image's pictures, those of an object with an ImageNet class (cat, tripod, espresso, moped, missile).
_SHIPPED = (
    ("foolbox", "data/imagenet_*.jpg"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/camera.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/rocket.jpg"),
)


def built_in_photographs() -> list[Path]:
    """The 20 ImageNet photographs of foolbox and 5 of scikit-image, as far as these are installed.

    The file names of foolbox end in the ImageNet class: ``imagenet_00_243.jpg`` is a bull mastiff.

    Raises:
        InputError: when neither package is installed.

    >>> built_in_photographs()[0].name
    'imagenet_00_243.jpg'
    """
    found = [path for package, pattern in _SHIPPED for path in _files(package, pattern)]
    if not found:
        raise InputError(
            "expected photographs of the packages foolbox or scikit-image, found neither; "
            'pip install "heatproof[demo]" or give pictures of your own'
        )
    return found


def _files(package: str, pattern: str) -> list[Path]:
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return [path for folder in folders or () for path in sorted(Path(folder).glob(pattern))]
