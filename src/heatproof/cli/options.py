"""The options that commands share."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from heatproof.cli.keys import InFile
from heatproof.cli.printing import console, progress, visible, warn
from heatproof.data import PRESETS, Dataset, Pictures, as_dataset, open_dataset, read_pictures
from heatproof.errors import InputError
from heatproof.heatmaps import controls
from heatproof.network import Network, load_network
from heatproof.network.caffe import read_mean
from heatproof.network.loading import OFFLINE_DEFAULT
from heatproof.perturbation.protocol import ALL
from heatproof.perturbation.scores import SCORES
from heatproof.registry import is_whole, split_specs
from heatproof.studies import DEFAULT_METHODS

PREPROCESSING = ("resize", "crop", "mean", "std", "channels", "scale", "interpolation", "max_pixels")


def _size(text: str) -> int | tuple[int, int]:
    sides = text.lower().split("x")
    if not all(map(is_whole, sides)) or len(sides) > 2:
        raise InputError(f"a size must be a number of pixels or HEIGHTxWIDTH, got {text!r:.80}")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def _regions(text: str | int) -> int | str:
    """A size in pixels, or a name."""
    return int(text) if is_whole(str(text)) else str(text)


def _steps(text: str) -> int | str:
    """A number of steps, or all."""
    if text == ALL or is_whole(text):
        return text if text == ALL else int(text)
    raise InputError(f"steps must be a whole number or 'all', got {text!r:.80}")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise InputError(f"expected numbers separated by commas, got {text!r:.80}") from None


def _mean(text: str | tuple[float, ...]) -> tuple[float, ...]:
    """Numbers, or those in a file of Caffe's."""
    if not isinstance(text, str):
        return text
    return read_mean(Path(text)) if text.endswith(".binaryproto") else _numbers(text)


@dataclass(frozen=True)
class Reading:
    """Which data set, for which network."""

    data: Annotated[
        str | None,
        typer.Option("--data", metavar="NAME:PATH", help="A data set; see 'heatproof list data'."),
        InFile(path=r"[^:\[]*(?:\[.*?\])?:(.+)"),
    ] = None
    count: Annotated[
        int | None, typer.Option("--images", metavar="N", help="How many: a sample of all images.", min=1)
    ] = None
    first: Annotated[bool, typer.Option("--first", help="The first ones instead of a sample.")] = False
    network: Annotated[
        str,
        typer.Option("--network", "-n", help="See 'heatproof list networks'."),
        InFile(path=r"caffe:(.+)|(.+\.py):.+"),
    ] = OFFLINE_DEFAULT
    preset: Annotated[
        str | None, typer.Option(help=f"Preprocessing: {', '.join(PRESETS)}. Default: the network's own.")
    ] = None
    resize: Annotated[
        Any, typer.Option(parser=_size, metavar="SIZE", help="Short side, or HEIGHTxWIDTH, before cropping.")
    ] = None
    crop: Annotated[
        Any, typer.Option(parser=_size, metavar="SIZE", help="Side, or HEIGHTxWIDTH, of the centre crop.")
    ] = None
    mean: Annotated[
        Any,
        typer.Option(
            parser=_mean, metavar="A,B,C|FILE", help="Mean of each channel: 0.485,0.456,0.406, or a .binaryproto file."
        ),
        InFile(several=True, path=r"(.+\.binaryproto)"),
    ] = None
    std: Annotated[
        Any,
        typer.Option(parser=_numbers, metavar="A,B,C", help="Standard deviation of each channel."),
        InFile(several=True),
    ] = None
    channels: Annotated[str | None, typer.Option(help="Order of the network's channels: rgb or bgr.")] = None
    scale: Annotated[float | None, typer.Option(help="The network wants values from 0 to this: 1 or 255.")] = None
    interpolation: Annotated[str | None, typer.Option(help="nearest, bilinear, bicubic or lanczos.")] = None
    max_pixels: Annotated[
        int | None, typer.Option(help="Larger pictures are refused undecoded. Default: 178956970.", min=1)
    ] = None
    classes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the network's classes, one on each line.")
    ] = None
    device: Annotated[str | None, typer.Option(help="Where to compute, such as cuda.")] = None
    download: Annotated[bool, typer.Option("--download", help="Published weights may be downloaded.")] = False
    memory: Annotated[float, typer.Option(help="Memory for activations and images, in GB.", min=0.05)] = 2.0

    def load_network(self, weights: str | None = None) -> Network:
        """The network, with its preprocessing changed as asked for."""
        with console.status("loading the network"):
            return self.network_of(weights)

    def network_of(self, weights: str | None = None) -> Network:
        """The same, without a word."""
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

    def dataset(self, *, seed: int = 0) -> Dataset:
        """The data set, or a sample of it with this seed; nothing is decoded."""
        return self._dataset().choose(self.count, first=self.first, seed=seed)

    def read_pictures(self, network: Network, *, seed: int = 0) -> Pictures:
        """The pictures; says which had to be left out. The seed is that of the sample."""
        dataset = self.dataset(seed=seed)
        warn(dataset.notes)
        with progress("pictures") as advance:
            pictures = read_pictures(dataset, network.preprocessing, on_progress=advance)
        for name, reason in pictures.skipped:
            console.print(f"skipped {visible(name)}: {visible(reason)}", style="yellow", markup=False)
        return pictures

    def _dataset(self) -> Dataset:
        if not self.data:
            raise InputError("expected --data NAME:PATH, such as folder:photos; see 'heatproof list data'")
        return open_dataset(self.data)

    @property
    def memory_bytes(self) -> int:
        """The memory, in bytes."""
        return round(self.memory * 2**30)


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
        InFile(key="pictures", path="(?!builtin$)(.+)"),
    ] = None
    weights: Annotated[
        str | None,
        typer.Option(help="A safetensors or state-dict file, a name of published weights, or 'none'."),
        InFile(path=r"(.+\.\w+)"),
    ] = None

    def load_network(self, weights: str | None = None) -> Network:
        """The network with the weights that were asked for."""
        return super().load_network(weights or self.weights)

    def network_of(self, weights: str | None = None) -> Network:
        """The same, without a word."""
        return super().network_of(weights or self.weights)

    def _dataset(self) -> Dataset:
        if bool(self.images) == bool(self.data):
            raise InputError("expected pictures or --data NAME:PATH, and not both; see 'heatproof list data'")
        return as_dataset(self.images) if self.images else super()._dataset()


@dataclass(frozen=True)
class Explaining(Picturing):
    """Which pictures, which network, which methods."""

    methods: Annotated[
        str,
        typer.Option("--methods", "-m", help="Separated by commas; see 'heatproof list methods'."),
        InFile(several=True),
    ] = ",".join(DEFAULT_METHODS)

    @property
    def method_names(self) -> list[str]:
        """The methods, one by one."""
        return split_specs(self.methods)

    def with_controls(self) -> list[str]:
        """The methods, and the controls of the first."""
        names = self.method_names
        return list(dict.fromkeys([*names, *controls(names[0])])) if names else names


@dataclass(frozen=True)
class Stepping:
    """Which regions are removed, how often; the names are those of ``heatproof.compare``."""

    steps: Annotated[
        Any,
        typer.Option(
            parser=_steps, metavar="N|all", help="Regions to remove. Default: 100, or all where there are fewer."
        ),
    ] = None
    scored: Annotated[
        int | None,
        typer.Option(help="At how many of the steps to evaluate the score, drawn at random. Default: at all.", min=1),
    ] = None
    repeats: Annotated[int, typer.Option(help="Repeats, each with other replacement images.", min=1)] = 1
    regions: Annotated[
        Any,
        typer.Option(
            parser=_regions,
            metavar="SIZE|NAME",
            help="Side of a region in pixels, or a name; see 'heatproof list regions'.",
        ),
    ] = 9
    seed: Annotated[int, typer.Option(help="Of all random draws.")] = 0
    engine: Annotated[
        str,
        typer.Option(
            help="full (the whole network at each step), incremental (what a step touches), auto (the faster)."
        ),
    ] = "auto"


@dataclass(frozen=True)
class Removing(Stepping):
    """How regions are removed."""

    replacement: Annotated[
        str, typer.Option(help="What a removed region becomes; see 'heatproof list replacements'.")
    ] = "uniform"


@dataclass(frozen=True)
class Scoring(Stepping):
    """Which regions are removed, and how that is scored."""

    score: Annotated[str, typer.Option(help=f"Score of the target: {', '.join(SCORES)}.")] = "logit"
    statistics: Annotated[
        Path | None,
        typer.Option(
            help="File of 'heatproof statistics' for constant and dirichlet. Default: those of the given pictures."
        ),
    ] = None


@dataclass(frozen=True)
class Perturbing(Removing, Scoring):
    """How regions are removed and scored, in which orders, and how that is audited."""

    lerf: Annotated[
        bool,
        typer.Option("--lerf", help="Least relevant first too: for ABPC, and with --steps all for SRG."),
    ] = False
    audit: Annotated[
        int | None,
        typer.Option(
            help="Images on which to ask whether other replacements, orders, scores and sizes of regions would rank "
            "the methods alike; 0 for none. Default: 4 to 16, for a sixth more evaluations.",
            min=0,
        ),
    ] = None
    measures: Annotated[
        str,
        typer.Option(
            "--measures",
            help="That evaluate the network further: naopc, naopc[beam=5], single-region.",
            show_default=False,
        ),
        InFile(several=True),
    ] = ""

    @property
    def measure_names(self) -> list[str]:
        """The measures, one by one."""
        return split_specs(self.measures)
