"""The options of commands that explain: methods, and files of precomputed heatmaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from heatproof.cli.options import Picturing
from heatproof.defaults import DEFAULT_METHODS
from heatproof.errors import InputError
from heatproof.options.names import some_methods
from heatproof.options.option import Option

if TYPE_CHECKING:
    from torch import Tensor

    from heatproof.data import Pictures
    from heatproof.heatmaps.precomputed import MapFile

METHOD_FILE = r"(?:[a-z]+(?:\[[^\]]*\])?:)*([^:\[\],]+\.py):.+"


@dataclass(frozen=True)
class Explaining(Picturing):
    """Options that name pictures, a network and methods."""

    methods: Annotated[
        Sequence[str] | None,
        Option(
            "Methods, separated by commas; see 'heatproof list methods'. FILE.py:function runs your code. Default: "
            f"{', '.join(DEFAULT_METHODS)}; none with --heatmaps.",
            short="-m",
            metavar="NAMES",
            complete=some_methods,
            several=True,
            path=METHOD_FILE,
        ),
    ] = None
    heatmaps: Annotated[
        list[str] | None,
        Option(
            "File of precomputed heatmaps, stored by image name: .npz, .npy, .zarr or .safetensors. Repeat for more "
            "files.",
            metavar="NAME=FILE",
            path=r"[^=]+=(.+)",
        ),
    ] = None

    @property
    def method_names(self) -> list[str]:
        """The methods to compute, one by one, each once."""
        from heatproof.heatmaps.naming import check_methods

        if self.methods is None:
            return [] if self.heatmaps else list(DEFAULT_METHODS)
        check_methods(self.methods)
        return list(self.methods)

    def methods_and_files(self) -> "dict[str, str | MapFile]":
        """Methods to compute, and files of heatmaps, by name."""
        return {name: name for name in self.method_names} | self.files()

    def files(self) -> "dict[str, MapFile]":
        """Files of heatmaps by the names of their methods, none of which is computed too."""
        from heatproof.heatmaps.precomputed import map_files

        files = map_files(self.heatmaps or [])
        twice = [name for name in files if name in self.method_names]
        if twice:
            raise InputError(f"{twice[0]!r} is the name of a computed method; give your heatmaps another name")
        return files

    def methods_for(self, pictures: "Pictures") -> "dict[str, str | Tensor]":
        """Methods to compute by name, and heatmaps that files have of these pictures."""
        from heatproof.heatmaps.precomputed import ImageSelection

        asked = ImageSelection(pictures.numbers, pictures.names, len(pictures.names) + len(pictures.skipped))
        height, width = pictures.images.shape[2:]
        given = {name: file.read(asked, (height, width)) for name, file in self.files().items()}
        return {name: name for name in self.method_names} | given
