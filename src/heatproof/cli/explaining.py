"""The options of commands that explain: methods, and files of precomputed heatmaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from heatproof.cli.options import Picturing
from heatproof.cli.printing import skipped
from heatproof.defaults import DEFAULT_METHODS
from heatproof.errors import InputError
from heatproof.options.names import some_methods
from heatproof.options.option import Option

if TYPE_CHECKING:
    from torch import Tensor

    from heatproof.data import Pictures
    from heatproof.heatmaps.precomputed import MapFile
    from heatproof.network import Network

METHOD_FILE = r"(?:[a-z]+(?:\[[^\]]*\])?:)*([^:\[\],]+\.py):.+"


MethodsOption = Annotated[  # of studies that compute all heatmaps
    Sequence[str],
    Option(
        "Methods, separated by commas; see 'heatproof list methods'. FILE.py:function runs your code.",
        short="-m",
        metavar="NAMES",
        complete=some_methods,
        several=True,
        path=METHOD_FILE,
    ),
]


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
        from heatproof.registry import variants_of

        if self.methods is None:
            return [] if self.heatmaps else list(DEFAULT_METHODS)
        check_methods([variant for method in self.methods for variant in variants_of(method)])
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

    def read_askable(self, network: "Network", against: int | str | None, *, seed: int = 0) -> "Pictures":
        """Reads the pictures, but for those whose target is the class that it would be asked against."""
        from heatproof.studies.askable import askable

        pictures = self.read_pictures(network, seed=seed)
        kept = askable(network, pictures, against, memory=self.memory)
        skipped(kept.skipped[len(pictures.skipped) :])
        if not kept.names:
            raise InputError(f"all {len(pictures.names)} pictures are of class {against!r}: choose another for against")
        return kept

    def methods_for(self, pictures: "Pictures") -> "dict[str, str | Tensor]":
        """Methods to compute by name, and heatmaps that files have of these pictures."""
        from heatproof.heatmaps.precomputed import ImageSelection

        asked = ImageSelection(pictures.numbers, pictures.names, len(pictures.names) + len(pictures.skipped))
        height, width = pictures.images.shape[2:]
        given = {name: file.read(asked, (height, width)) for name, file in self.files().items()}
        return {name: name for name in self.method_names} | given
