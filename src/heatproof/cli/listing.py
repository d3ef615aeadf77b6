"""``heatproof list``."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from heatproof.cli.application import app
from heatproof.cli.printing import screen
from heatproof.data import DATASETS
from heatproof.errors import InputError
from heatproof.heatmaps import METHODS, WRAPPERS
from heatproof.measures import MEASURES
from heatproof.network.loading import SOURCES
from heatproof.perturbation import REGIONS, REPLACEMENTS
from heatproof.perturbation.scores import SCORES
from heatproof.registry import options_of, unknown

PICTURES = {
    "builtin": 'photographs in installed packages (pip install "heatproof[demo]")',
    "FILE… or FOLDER…": "your pictures: JPEG, PNG, WEBP, BMP, GIF, TIFF",
}


@app.command("list")
def list_command(
    what: Annotated[
        str | None, typer.Argument(help="networks, methods, replacements, regions, scores, measures, data.")
    ] = None,
) -> None:
    """Names of networks, methods, replacements, regions, scores, measures and data sets."""
    catalogues = {
        "networks": SOURCES,
        "methods": _described(METHODS) | {f"{name}:METHOD": text for name, text in _described(WRAPPERS).items()},
        "replacements": _described(REPLACEMENTS),
        "regions": _described(REGIONS),
        "scores": _described(SCORES),
        "measures": {name: measure.describe() for name, measure in MEASURES.items()},
        "data": PICTURES | {f"--data {name}:PATH": text for name, text in _described(DATASETS).items()},
    }
    if what is not None and what not in catalogues:
        raise InputError(unknown("list", what, list(catalogues)))
    for name, entries in catalogues.items():
        if what in (None, name):
            screen.print(name, style="bold")
            for entry, text in entries.items():
                screen.print(f"  {entry}\n      {text}", markup=False, highlight=False, soft_wrap=True)


def _described(registry: Mapping[str, Callable[..., Any]]) -> dict[str, str]:
    """First line of each entry's docstring, by name with its options."""
    entries = {}
    for name, function in registry.items():
        options = ",".join(f"{option}={default}" for option, default in options_of(function).items())
        entries[f"{name}[{options}]" if options else name] = (function.__doc__ or "").strip().splitlines()[0]
    return entries
