"""The ``heatproof`` command: parse, call, print.

Exit codes: 0 done; 2 something given cannot be used; 3 done, but pictures had to be left out; 74 the disk failed;
130 stopped by Ctrl-C. Any other failure is a bug and shows its traceback.
"""

import errno
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as Grid

import heatproof
from heatproof import runs
from heatproof.data import PRESETS, Pictures, read_pictures
from heatproof.errors import InputError
from heatproof.heatmaps import METHODS
from heatproof.network import Network, load_network
from heatproof.network.loading import OFFLINE_DEFAULT, SOURCES
from heatproof.perturbation import REPLACEMENTS
from heatproof.perturbation.scores import SCORES
from heatproof.registry import options_of, split_specs, unknown
from heatproof.studies import DEFAULT_METHODS, compare, explain_pictures

INPUT_ERROR, PARTIAL, DISK_ERROR, INTERRUPTED = 2, 3, 74, 130
WIDEST_NAME = 34  # longer names of methods are folded
DATA_SETS = {"builtin": 'photographs in installed packages (pip install "heatproof[demo]")'}

app = typer.Typer(
    name="heatproof",
    help="Put heatmaps to the proof: which explanation method can I trust, for my network, on my images?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
console = Console(stderr=True)
screen = Console()


def _size(text: str) -> int | tuple[int, int]:
    sides = text.lower().split("x")
    if not all(side.isdecimal() for side in sides) or len(sides) > 2:
        raise InputError(f"a size must be a number of pixels or HEIGHTxWIDTH, got {text!r}")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise InputError(f"expected numbers separated by commas, got {text!r}") from None


Images = Annotated[list[str], typer.Argument(help="Pictures or folders of them, or 'builtin'.", show_default=False)]
NetworkSpec = Annotated[str, typer.Option("--network", "-n", help="See 'heatproof list networks'.")]
Weights = Annotated[
    str | None, typer.Option(help="A safetensors or state-dict file, a name of published weights, or 'none'.")
]
Download = Annotated[bool, typer.Option("--download", help="Published weights may be downloaded.")]
Device = Annotated[str | None, typer.Option(help="Where to compute, such as cuda.")]
Preset = Annotated[str | None, typer.Option(help=f"Preprocessing: {', '.join(PRESETS)}. Default: the network's own.")]
Resize = Annotated[
    Any, typer.Option(parser=_size, metavar="SIZE", help="Short side, or HEIGHTxWIDTH, before cropping.")
]
Crop = Annotated[Any, typer.Option(parser=_size, metavar="SIZE", help="Side, or HEIGHTxWIDTH, of the centre crop.")]
Mean = Annotated[
    Any, typer.Option(parser=_numbers, metavar="A,B,C", help="Mean of each channel, such as 0.485,0.456,0.406.")
]
Std = Annotated[Any, typer.Option(parser=_numbers, metavar="A,B,C", help="Standard deviation of each channel.")]
Channels = Annotated[str | None, typer.Option(help="Order of the network's channels: rgb or bgr.")]
Scale = Annotated[float | None, typer.Option(help="The network wants values from 0 to this: 1 or 255.")]
Interpolation = Annotated[str | None, typer.Option(help="nearest, bilinear, bicubic or lanczos.")]
Memory = Annotated[float, typer.Option(help="Memory for activations and images, in GB.", min=0.05)]


@app.command("compare")
def compare_command(
    images: Images,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; it appears whole or not at all.")],
    network: NetworkSpec = OFFLINE_DEFAULT,
    methods: Annotated[
        str, typer.Option("--methods", "-m", help="Separated by commas; see 'heatproof list methods'.")
    ] = (",".join(DEFAULT_METHODS)),
    weights: Weights = None,
    steps: Annotated[
        int | None, typer.Option(help="Regions to remove. Default: 100, or all where there are fewer.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Repeats, each with other replacement images.", min=1)] = 1,
    regions: Annotated[int, typer.Option(help="Side of a region, in pixels.", min=1)] = 9,
    replacement: Annotated[str, typer.Option(help="What a removed region becomes.")] = "uniform",
    score: Annotated[str, typer.Option(help=f"Score of the target: {', '.join(SCORES)}.")] = "logit",
    seed: Annotated[int, typer.Option(help="Of all random draws.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in --out.")] = False,
    preset: Preset = None,
    resize: Resize = None,
    crop: Crop = None,
    mean: Mean = None,
    std: Std = None,
    channels: Channels = None,
    scale: Scale = None,
    interpolation: Interpolation = None,
    device: Device = None,
    download: Download = False,
    memory: Memory = 2.0,
) -> None:
    r"""Which heatmap method explains this network best, on these images?

    [bold]heatproof compare photos/ --out RUN[/bold]

    [bold]heatproof compare builtin --methods "lrp-epsilon,lrp-alphabeta\\[alpha=1,beta=0]" --steps 40 --out RUN[/bold]
    """
    runs.check_free(out, overwrite=overwrite)
    changes = dict(
        resize=resize, crop=crop, mean=mean, std=std, channels=channels, scale=scale, interpolation=interpolation
    )
    loaded = _network(network, weights, preset, changes, device, download)
    pictures = _pictures(images, loaded)
    with _progress("evaluations") as advance:
        study = compare(
            loaded,
            pictures.images,
            split_specs(methods),
            replacement=replacement,
            regions=regions,
            steps=steps,
            repeats=repeats,
            seed=seed,
            score=score,
            memory=round(memory * 2**30),
            names=pictures.names,
            skipped=pictures.skipped,
            on_progress=advance,
        )
    study.save(out, reproduce=shlex.join(["heatproof", *sys.argv[1:]]), overwrite=overwrite)
    _print_study(study)
    screen.print(
        f"\nResults: {out}/report.html (page), scores.parquet, heatmaps.zarr, figures as PNG and SVG", markup=False
    )
    if pictures.skipped:
        raise typer.Exit(PARTIAL)


@app.command("explain")
def explain_command(
    images: Images,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path("heatmaps"),
    network: NetworkSpec = OFFLINE_DEFAULT,
    methods: Annotated[
        str, typer.Option("--methods", "-m", help="Separated by commas; see 'heatproof list methods'.")
    ] = (",".join(DEFAULT_METHODS)),
    weights: Weights = None,
    preset: Preset = None,
    resize: Resize = None,
    crop: Crop = None,
    mean: Mean = None,
    std: Std = None,
    channels: Channels = None,
    scale: Scale = None,
    interpolation: Interpolation = None,
    device: Device = None,
    download: Download = False,
    memory: Memory = 2.0,
) -> None:
    """Writes one picture per image and method: the image beside its heatmap.

    [bold]heatproof explain photo.jpg --methods lrp-alphabeta,deconvolution-l2[/bold]
    """
    changes = dict(
        resize=resize, crop=crop, mean=mean, std=std, channels=channels, scale=scale, interpolation=interpolation
    )
    loaded = _network(network, weights, preset, changes, device, download)
    pictures = _pictures(images, loaded)
    written = explain_pictures(loaded, pictures, split_specs(methods), out, memory=round(memory * 2**30))
    _warn(written.warnings)
    for file in written.files:
        screen.print(str(file), markup=False, highlight=False)
    if pictures.skipped:
        raise typer.Exit(PARTIAL)


@app.command("list")
def list_command(
    what: Annotated[str | None, typer.Argument(help="networks, methods, replacements, scores or data.")] = None,
) -> None:
    """Names of networks, methods, replacements, scores and data sets."""
    catalogues = {
        "networks": SOURCES,
        "methods": _described(METHODS),
        "replacements": _described(REPLACEMENTS),
        "scores": _described(SCORES),
        "data": DATA_SETS | {"FILE… or FOLDER…": "your pictures: JPEG, PNG, WEBP, BMP, GIF, TIFF"},
    }
    if what is not None and what not in catalogues:
        raise InputError(unknown("list", what, list(catalogues)))
    for name, entries in catalogues.items():
        if what in (None, name):
            screen.print(name, style="bold")
            for entry, text in entries.items():
                screen.print(f"  {entry}\n      {text}", markup=False, highlight=False, soft_wrap=True)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and stop.")] = False) -> None:
    """Put heatmaps to the proof: which explanation method can I trust, for my network, on my images?"""
    if version:
        screen.print(f"heatproof {heatproof.__version__}", highlight=False)
        raise typer.Exit


def main() -> None:
    """Runs the command; what a user can mend becomes one message and an exit code."""
    try:
        app()
    except InputError as error:
        _fail(str(error), INPUT_ERROR)
    except SystemExit as stopped:
        if stopped.code == INTERRUPTED:  # Typer's answer to Ctrl-C
            _fail("stopped; nothing was written", INTERRUPTED)
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO):
            raise
        _fail(f"{error.strerror}{f': {error.filename}' if error.filename else ''}; nothing was written", DISK_ERROR)


def _network(
    spec: str, weights: str | None, preset: str | None, changes: dict[str, Any], device: str | None, download: bool
) -> Network:
    with console.status("loading the network"):
        network = load_network(spec, weights=weights, preprocessing=preset, device=device, download=download)
        given = {name: value for name, value in changes.items() if value is not None}
        network.preprocessing = replace(network.preprocessing, **given)
    return network


def _pictures(sources: list[str], network: Network) -> Pictures:
    with _progress("pictures") as advance:
        pictures = read_pictures(sources, network.preprocessing, on_progress=advance)
    for name, reason in pictures.skipped:
        console.print(f"skipped {name}: {reason}", style="yellow", markup=False)
    return pictures


@contextmanager
def _progress(unit: str) -> Iterator[Any]:
    """A bar with the time left; yields a function of how much is done, and of how much there is."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=not console.is_terminal) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print_study(study: heatproof.Comparison) -> None:
    table = study.table()
    grid = Grid(box=None, padding=(0, 1, 0, 0))
    for column in table.columns:
        grid.add_column(escape(column), overflow="fold", justify="left" if column == "method" else "right")
    rows = table.to_rows_of_text()
    grid.columns[0].min_width = min(WIDEST_NAME, max(len(row[0]) for row in rows))
    for row in rows:
        grid.add_row(*[escape(cell) for cell in row])
    screen.print(grid)
    for note in table.notes:
        screen.print(note, style="dim", markup=False, highlight=False)
    screen.print()
    for sentence in study.verdict:
        screen.print(sentence, markup=False, highlight=False)
    _warn(study.warnings)


def _warn(warnings: Any) -> None:  # noqa: ANN401 - any collection of texts
    for text in warnings:
        console.print(f"warning: {text}", style="yellow", markup=False, highlight=False)


def _described(registry: Any) -> dict[str, str]:  # noqa: ANN401 - a registry of any kind
    """First line of each entry's docstring, by name with its options."""
    entries = {}
    for name, function in registry.items():
        options = ",".join(f"{option}={default}" for option, default in options_of(function).items())
        entries[f"{name}[{options}]" if options else name] = (function.__doc__ or "").strip().splitlines()[0]
    return entries


def _fail(message: str, code: int) -> None:
    console.print(f"heatproof: {message}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)
