"""The options that commands share."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from heatproof.bounds import MANY, PIXELS
from heatproof.cli.printing import progress, skipped, waiting, warn
from heatproof.defaults import DEFAULT_MEMORY, OFFLINE_DEFAULT
from heatproof.errors import InputError
from heatproof.options.names import NETWORKS, PRESETS, among, data_sets
from heatproof.options.option import Option
from heatproof.options.perturbing import MemoryOption
from heatproof.options.texts import as_numbers, as_size

if TYPE_CHECKING:
    from heatproof.data import Dataset, Pictures
    from heatproof.network import Network

PREPROCESSING = ("resize", "crop", "mean", "std", "channels", "scale", "interpolation", "max_pixels")


def as_mean(text: str | tuple[float, ...]) -> tuple[float, ...]:
    """Numbers, or those in a file of Caffe's."""
    from heatproof.network.caffe import read_mean

    if not isinstance(text, str):
        return text
    return read_mean(Path(text)) if text.endswith(".binaryproto") else as_numbers(text)


@dataclass(frozen=True)
class Reading:
    """Which data set, for which network."""

    data: Annotated[
        str | None,
        Option(
            "A data set; see 'heatproof list data'.",
            metavar="NAME:PATH",
            complete=data_sets,
            path=r"[^:\[]*(?:\[.*?\])?:(.+)",
        ),
    ] = None
    count: Annotated[
        int | None, Option("How many: a sample of all images.", name="images", bounds=MANY, metavar="N")
    ] = None
    first: Annotated[bool, Option("The first ones instead of a sample.")] = False
    network: Annotated[
        str,
        Option(
            "See 'heatproof list networks'.",
            short="-n",
            complete=among(NETWORKS),
            path=r"(?:caffe|pt2|torchscript|onnx|transformers):(.+)|(.+\.py):.+|([^:]+\.(?:pt2|torchscript|onnx))",
        ),
    ] = OFFLINE_DEFAULT
    preset: Annotated[
        str | None, Option(f"Preprocessing: {', '.join(PRESETS)}. Default: the network's own.", complete=among(PRESETS))
    ] = None
    resize: Annotated[Any, Option("Short side, or HEIGHTxWIDTH, before cropping.", parse=as_size, metavar="SIZE")] = (
        None
    )
    crop: Annotated[Any, Option("Side, or HEIGHTxWIDTH, of the centre crop.", parse=as_size, metavar="SIZE")] = None
    mean: Annotated[
        Any,
        Option(
            "Of each channel: 0.485,0.456,0.406, or a .binaryproto file.",
            parse=as_mean,
            metavar="A,B,C|FILE",
            several=True,
            path=r"(.+\.binaryproto)",
        ),
    ] = None
    std: Annotated[
        Any, Option("Standard deviation of each channel.", parse=as_numbers, metavar="A,B,C", several=True)
    ] = None
    channels: Annotated[str | None, Option("Order of the network's channels: rgb or bgr.")] = None
    scale: Annotated[float | None, Option("The network wants values from 0 to this: 1 or 255.")] = None
    interpolation: Annotated[str | None, Option("nearest, bilinear, bicubic or lanczos.")] = None
    max_pixels: Annotated[
        int | None, Option("Larger pictures are refused undecoded. Default: 178956970.", bounds=PIXELS)
    ] = None
    classes: Annotated[Path | None, Option("Names of the network's classes, one on each line.", metavar="FILE")] = None
    device: Annotated[str | None, Option("Where to compute, such as cuda.")] = None
    download: Annotated[bool, Option("Published weights may be downloaded.")] = False
    memory: MemoryOption = DEFAULT_MEMORY

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


@dataclass(frozen=True)
class Picturing(Reading):
    """Which pictures, or which data set, and which network with which weights."""

    images: Annotated[
        list[str] | None,
        Option(
            "Pictures or folders of them, or 'builtin'; or --data instead.",
            positional=True,
            metavar="PICTURES",
            shows_default=False,
            name="pictures",
            path=r"(?!builtin$)(?:\w+(?:\[.*?\])?:)?(.+)",
        ),
    ] = None
    weights: Annotated[
        str | None,
        Option("A safetensors or state-dict file, a name of published weights, or 'none'.", path=r"(.+\.\w+)"),
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
