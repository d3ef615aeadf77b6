"""Which files are meant: files as given, folders searched, ``builtin`` for the built-in photographs."""

import difflib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from heatproof.errors import InputError

BUILT_IN = "builtin"
EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

_COMPARED = 2000  # names of neighbours: a folder may have a million, and every picture in it be missing

# Packages that ship photographs; they are located, never imported. Of scikit-image's pictures, those of an object with
# an ImageNet class (cat, tripod, espresso, moped, missile).
_SHIPPED = (
    ("foolbox", "data/imagenet_*.jpg"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/camera.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/rocket.jpg"),
)

Sources = str | Path | Sequence[str | Path]


def find_pictures(sources: Sources) -> list[Path]:
    """Picture files that ``sources`` name, in the order given, each file once.

    A file is taken as it is. A folder is searched to the bottom in sorted order, through links but never in a
    circle, for files that end like pictures; hidden ones are passed over. The word ``builtin`` stands for the
    built-in photographs; a folder of that name is ``./builtin``.

    Raises:
        InputError: for a missing path, a folder without pictures, or no sources at all.

    >>> [path.name for path in find_pictures("builtin")][:2]
    ['imagenet_00_243.jpg', 'imagenet_01_559.jpg']
    """
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not given:
        raise InputError("expected pictures or folders of pictures, got an empty list")
    found: dict[str, Path] = {}
    for path in (path for source in given for path in _expand(source)):
        found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def built_in_photographs() -> list[Path]:
    """The 20 ImageNet photographs of foolbox and 5 of scikit-image, as far as these are installed.

    The file names of foolbox end in the ImageNet class: ``imagenet_00_243.jpg`` is a bull mastiff.

    Raises:
        InputError: when neither package is installed.

    >>> built_in_photographs()[0].name
    'imagenet_00_243.jpg'
    """
    found: list[Path] = []
    for package, pattern in _SHIPPED:
        spec = find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            found += sorted(Path(folder).glob(pattern))
    if not found:
        raise InputError(
            "expected photographs of the packages foolbox or scikit-image, found neither; "
            'pip install "heatproof[demo]" or give pictures of your own'
        )
    return found


def examine(path: Path) -> os.stat_result:
    """What the file system knows about ``path``; the error of a missing one suggests the nearest name."""
    try:
        return path.stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"expected a picture or a folder of pictures, got: {reason}{_nearest(path)}") from error


def search(folder: Path) -> list[str]:
    """Files below a folder that end like pictures, in sorted order; hidden ones are passed over.

    They are texts relative to the folder, with slashes: a million paths as objects take most of a gigabyte.
    """
    files = list(_walk(folder))
    pictures = [file for file in files if file.lower().endswith(EXTENSIONS)]
    if not pictures:
        endings = ", ".join(EXTENSIONS)
        raise InputError(f"expected a folder with pictures ({endings}), got one with none among {len(files)} files")
    return sorted(pictures, key=lambda file: file.replace("/", "\0"))  # folder by folder


def _expand(source: str | Path) -> list[Path]:
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"expected paths of pictures or folders, got {type(source).__name__}: {source!r:.80}")
    if not str(source).strip():
        raise InputError("expected the path of a picture or a folder, got an empty text")
    if source == BUILT_IN:
        return built_in_photographs()
    path = Path(source)
    try:
        is_folder = stat.S_ISDIR(examine(path).st_mode)
        return [path / picture for picture in search(path)] if is_folder else [path]
    except InputError as error:
        raise InputError(f"cannot use {str(path)!r}: {error}") from error


def _walk(folder: Path) -> Iterator[str]:
    """Files below ``folder`` that are not hidden; a folder reached a second time, by a link, is not entered."""
    entered = {os.path.realpath(folder)}
    for root, folders, files in os.walk(folder, onerror=_refuse_unreadable, followlinks=True):
        visible = [name for name in sorted(folders) if not name.startswith(".")]
        targets = {os.path.realpath(Path(root, name)): name for name in reversed(visible)}
        folders[:] = sorted(name for target, name in targets.items() if target not in entered)
        entered |= targets.keys()
        below = Path(root).relative_to(folder).as_posix()
        inside = "" if below == "." else f"{below}/"
        yield from (f"{inside}{name}" for name in files if not name.startswith("."))


def _refuse_unreadable(error: OSError) -> None:
    raise InputError(f"expected a readable folder, got {error.strerror} for {error.filename!r}") from error


def _nearest(path: Path) -> str:
    with suppress(OSError, ValueError):
        close = difflib.get_close_matches(
            path.name, [sibling.name for sibling in islice(path.parent.iterdir(), _COMPARED)], n=1
        )
        return f"; did you mean {str(path.with_name(close[0]))!r}?" if close else ""
    return ""
