"""The options that commands share."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heatproof.bounds import PIXELS
from heatproof.cli.keys import InFile
from heatproof.cli.names import NETWORKS, PRESETS, among, data_sets
from heatproof.cli.printing import progress, skipped, waiting, warn
from heatproof.cli.values import as_mean, as_memory, as_numbers, as_size
from heatproof.defaults import OFFLINE_DEFAULT
from heatproof.errors import InputError

if TYPE_CHECKING:
    from heatproof.data import Dataset, Pictures
    from heatproof.network import Network

PREPROCESSING = ("resize", "crop", "mean", "std", "channels", "scale", "interpolation", "max_pixels")


@dataclass(frozen=True)
class Reading:
    """Which data set, for which network."""

    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="NAME:PATH", help="A data set; see 'heatproof list data'.", autocompletion=data_sets
        ),
        InFile(path=r"[^:\[]*(?:\[.*?\])?:(.+)"),
    ] = None
    count: Annotated[
        int | None, typer.Option("--images", metavar="N", help="How many: a sample of all images.", min=1)
    ] = None
    first: Annotated[bool, typer.Option("--first", help="The first ones instead of a sample.")] = False
    network: Annotated[
        str,
        typer.Option("--network", "-n", help="See 'heatproof list networks'.", autocompletion=among(NETWORKS)),
        InFile(path=r"(?:caffe|pt2|torchscript|onnx|transformers):(.+)|(.+\.py):.+|([^:]+\.(?:pt2|torchscript|onnx))"),
    ] = OFFLINE_DEFAULT
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"Preprocessing: {', '.join(PRESETS)}. Default: the network's own.", autocompletion=among(PRESETS)
        ),
    ] = None
    resize: Annotated[
        Any, typer.Option(parser=as_size, metavar="SIZE", help="Short side, or HEIGHTxWIDTH, before cropping.")
    ] = None
    crop: Annotated[
        Any, typer.Option(parser=as_size, metavar="SIZE", help="Side, or HEIGHTxWIDTH, of the centre crop.")
    ] = None
    mean: Annotated[
        Any,
        typer.Option(
            parser=as_mean,
            metavar="A,B,C|FILE",
            help="Of each channel: 0.485,0.456,0.406, or a .binaryproto file.",
        ),
        InFile(several=True, path=r"(.+\.binaryproto)"),
    ] = None
    std: Annotated[
        Any,
        typer.Option(parser=as_numbers, metavar="A,B,C", help="Standard deviation of each channel."),
        InFile(several=True),
    ] = None
    channels: Annotated[str | None, typer.Option(help="Order of the network's channels: rgb or bgr.")] = None
    scale: Annotated[float | None, typer.Option(help="The network wants values from 0 to this: 1 or 255.")] = None
    interpolation: Annotated[str | None, typer.Option(help="nearest, bilinear, bicubic or lanczos.")] = None
    max_pixels: Annotated[
        int | None,
        typer.Option(help="Larger pictures are refused undecoded. Default: 178956970.", min=1, max=PIXELS.high),
    ] = None
    classes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the network's classes, one on each line.")
    ] = None
    device: Annotated[str | None, typer.Option(help="Where to compute, such as cuda.")] = None
    download: Annotated[bool, typer.Option("--download", help="Published weights may be downloaded.")] = False
    memory: Annotated[
        Any,
        typer.Option(parser=as_memory, metavar="GB|SIZE", help="For activations and images: 2, 0.5, 8GB or 500MB."),
    ] = 2.0

    def load_network(self, weights: str | None = None) -> "Network":
        """The network, with its preprocessing changed as asked for."""
        with waiting("loading the network"):
            return self.network_of(weights)

    def network_of(self, weights: str | None = None) -> "Network":
        """The same, without a word."""
        from heatproof.network import load_network

        network = load_network(
            self.network,
            weights=weights,
            preprocessing=self.preset,
            mean=self.mean,
            classes=self.classes,
            device=self.device,
            download=self.download,
        )
        changes = {name: getattr(self, name) for name in PREPROCESSING if getattr(self, name) is not None}
        network.preprocessing = replace(network.preprocessing, **changes)
        return network

    def dataset(self, *, seed: int = 0) -> "Dataset":
        """The data set, or a sample of it with this seed; nothing is decoded."""
        return self._dataset().choose(self.count, first=self.first, seed=seed)

    def read_pictures(self, network: "Network", *, seed: int = 0, labels: bool = True) -> "Pictures":
        """The pictures; says which had to be left out. The seed is that of the sample.

        Without ``labels`` nobody is told that there are none.
        """
        from heatproof.data import read_pictures

        dataset = self.dataset(seed=seed)
        warn([note for note in dataset.notes if labels or not note.startswith("no labels")])
        with progress("pictures") as advance:
            pictures = read_pictures(dataset, network.preprocessing, on_progress=advance)
        skipped(pictures.skipped)
        return pictures

    def _dataset(self) -> "Dataset":
        from heatproof.data import open_dataset

        if not self.data:
            raise InputError("expected --data NAME:PATH, such as folder:photos; see 'heatproof list data'")
        return open_dataset(self.data)

    @property
    def memory_bytes(self) -> int:
        """The memory, in bytes."""
        return round(float(self.memory) * 2**30)


@dataclass(frozen=True)
class Picturing(Reading):
    """Which pictures, or which data set, and which network with which weights."""

    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PICTURES",
            help="Pictures or folders of them, or 'builtin'; or --data instead.",
            show_default=False,
        ),
        InFile(key="pictures", path=r"(?!builtin$)(?:\w+(?:\[.*?\])?:)?(.+)"),
    ] = None
    weights: Annotated[
        str | None,
        typer.Option(help="A safetensors or state-dict file, a name of published weights, or 'none'."),
        InFile(path=r"(.+\.\w+)"),
    ] = None

    def load_network(self, weights: str | None = None) -> "Network":
        """The network with the weights that were asked for."""
        return super().load_network(weights or self.weights)

    def network_of(self, weights: str | None = None) -> "Network":
        """The same, without a word."""
        return super().network_of(weights or self.weights)

    def _dataset(self) -> "Dataset":
        from heatproof.data import as_dataset

        if bool(self.images) == bool(self.data):
            raise InputError("expected pictures or --data NAME:PATH, and not both; see 'heatproof list data'")
        return as_dataset(self.images) if self.images else super()._dataset()
