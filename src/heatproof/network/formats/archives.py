"""Archives of PyTorch's are looked into before torch opens them."""

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from heatproof.errors import InputError
from heatproof.zips import check_directory

LARGEST_TEXT = 64 * 2**20  # bytes that are read as text, or decompressed


def entries(path: Path, kind: str) -> dict[str, zipfile.ZipInfo]:
    """Entries by their path below the archive's one folder.

    Raises:
        InputError: if there is no such file, if it is no archive, or one that would swell.
    """
    if not path.is_file():
        raise InputError(f"network: there is no file {str(path)!r}")
    try:
        with path.open("rb") as file:
            check_directory(file)
            found = zipfile.ZipFile(file).infolist()
    except Exception as error:  # a damaged one can raise anything
        raise InputError(f"expected {kind}, got {path.name}, which is not a complete archive ({error})") from error
    swells = sum(entry.file_size for entry in found if entry.compress_type != zipfile.ZIP_STORED)
    if swells > LARGEST_TEXT:  # TorchScript's code is compressed, tensors never are
        raise InputError(f"{path.name} is refused: it is compressed and would swell to {swells:,} bytes")
    by_path = {entry.filename.partition("/")[2]: entry for entry in found}
    if len(by_path) < len(found):
        raise InputError(f"{path.name} is refused: two of its entries have the same name")
    return by_path


def read_entries(
    path: Path, found: Mapping[str, zipfile.ZipInfo], largest: int | None = None
) -> Iterator[tuple[str, bytes]]:
    """The content of each entry, by the names given."""
    for entry in found.values():
        if largest is not None and entry.file_size > largest:
            raise InputError(f"{path.name} is refused: {entry.filename} has more than {largest:,} bytes")
    try:
        with zipfile.ZipFile(path) as archive:
            for name, entry in found.items():
                yield name, archive.read(entry)
    except InputError:  # of whoever reads them
        raise
    except Exception as error:
        raise InputError(f"{path.name} cannot be read: {error}") from error


def repacked(contents: Iterable[tuple[str, bytes | str]]) -> io.BytesIO:
    """An archive of our own, with these entries and nothing else."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents:
            archive.writestr(f"checked/{name}", content)
    file.seek(0)
    return file


def first_line(error: Exception) -> str:
    """What an error of another library's says first."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
