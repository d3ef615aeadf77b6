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
    """Numbers from a text, or from a .binaryproto file."""
    from heatproof.network.caffe import read_mean

    if not isinstance(text, str):
        return text
    return read_mean(Path(text)) if text.endswith(".binaryproto") else as_numbers(text)


@dataclass(frozen=True)
class Reading:
    """Options that name a data set and a network."""

    data: Annotated[
        str | None,
        Option(
            "Data set with its layout; see 'heatproof list data'.",
            metavar="NAME:PATH",
            complete=data_sets,
            path=r"[^:\[]*(?:\[.*?\])?:(.+)",
        ),
    ] = None
    count: Annotated[
        int | None, Option("Number of images, drawn at random from all.", name="images", bounds=MANY, metavar="N")
    ] = None
    first: Annotated[bool, Option("Take the first images instead of random ones.")] = False
    network: Annotated[
        str,
        Option(
            "Network; see 'heatproof list networks'.",
            short="-n",
            complete=among(NETWORKS),
            path=r"(?:caffe|pt2|torchscript|onnx|transformers):(.+)|(.+\.py):.+|([^:]+\.(?:pt2|torchscript|onnx))",
        ),
    ] = OFFLINE_DEFAULT
    preset: Annotated[
        str | None,
        Option(f"Preprocessing: {', '.join(PRESETS)}. Default: that of the network.", complete=among(PRESETS)),
    ] = None
    resize: Annotated[
        Any, Option("Length of the short side, or HEIGHTxWIDTH, before cropping.", parse=as_size, metavar="SIZE")
    ] = None
    crop: Annotated[Any, Option("Side of the centre crop, or HEIGHTxWIDTH.", parse=as_size, metavar="SIZE")] = None
    mean: Annotated[
        Any,
        Option(
            "Mean of each channel: 0.485,0.456,0.406, or a .binaryproto file.",
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
    scale: Annotated[float | None, Option("Largest value of the network's input: 1 or 255.")] = None
    interpolation: Annotated[
        str | None, Option("Interpolation when resizing: nearest, bilinear, bicubic or lanczos.")
    ] = None
    max_pixels: Annotated[
        int | None,
        Option("Most pixels of a picture; larger ones are refused before decoding. Default: 178956970.", bounds=PIXELS),
    ] = None
    classes: Annotated[Path | None, Option("Names of the network's classes, one on each line.", metavar="FILE")] = None
    device: Annotated[str | None, Option("Device that computes, such as cuda.")] = None
    download: Annotated[bool, Option("Allow published weights to be downloaded.")] = False
    memory: MemoryOption = DEFAULT_MEMORY

    def load_network(self, weights: str | None = None) -> "Network":
        """The network, with its preprocessing changed as asked for."""
        with waiting("loading the network"):
            return self.network_of(weights)

    def network_of(self, weights: str | None = None) -> "Network":
        """The network, without a progress message."""
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
        """Reads the pictures, and warns about those left out; ``seed`` draws the sample.

        Without ``labels``, missing labels cause no warning.
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
    """Options that name pictures or a data set, and a network with its weights."""

    images: Annotated[
        list[str] | None,
        Option(
            "Pictures, folders of pictures, or 'builtin'; use either this or --data.",
            positional=True,
            metavar="PICTURES",
            shows_default=False,
            name="pictures",
            path=r"(?!builtin$)(?:\w+(?:\[.*?\])?:)?(.+)",
        ),
    ] = None
    weights: Annotated[
        str | None,
        Option("Weights: a safetensors or state-dict file, a name of published weights, or 'none'.", path=r"(.+\.\w+)"),
    ] = None

    def load_network(self, weights: str | None = None) -> "Network":
        """The network with the weights that were asked for."""
        return super().load_network(weights or self.weights)

    def network_of(self, weights: str | None = None) -> "Network":
        """The network, without a progress message."""
        return super().network_of(weights or self.weights)

    def _dataset(self) -> "Dataset":
        from heatproof.data import as_dataset

        if self.images and self.data:
            raise InputError("expected pictures or --data NAME:PATH, got both: leave one of them out")
        if not self.images and not self.data:
            raise InputError("expected pictures, such as photos/, or --data NAME:PATH; see 'heatproof list data'")
        return as_dataset(self.images) if self.images else super()._dataset()
