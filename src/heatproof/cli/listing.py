"""``heatproof list``."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from heatproof.cli.application import app
from heatproof.cli.output import output, tell
from heatproof.cli.printing import say
from heatproof.errors import InputError
from heatproof.options.names import among
from heatproof.options.option import Option
from heatproof.registry import options_of, unknown

PICTURES = {
    "builtin": 'photographs in installed packages (pip install "heatproof[demo]")',
    "FILE… or FOLDER…": "your pictures: JPEG, PNG, WEBP, BMP, GIF, TIFF",
}


CATALOGUES = ("networks", "methods", "protocols", "replacements", "regions", "scores", "measures", "data")


@app.command("list")
def list_command(
    what: Annotated[
        str | None, Option(f"{', '.join(CATALOGUES)}. Default: all.", positional=True, complete=among(CATALOGUES))
    ] = None,
) -> None:
    """Names of networks, methods, protocols, replacements, regions, scores, measures and data sets.

    [bold]heatproof list methods[/bold]
    """
    if what is not None and what not in CATALOGUES:
        raise InputError(unknown("list", what, CATALOGUES))
    for name in CATALOGUES if what is None else (what,):
        entries = catalogue(name)
        tell(**{name: entries})
        if output.as_json:
            continue
        say(name, style="bold")
        for entry, text in entries.items():
            say(f"  {entry}\n      {text}", as_wide=True)


def catalogue(name: str) -> dict[str, str]:
    """What there is of a kind, each with a line that says what it is; only its own room is loaded."""
    if name == "networks":
        from heatproof.network.loading import described_sources

        return described_sources()
    if name == "methods":
        from heatproof.heatmaps import METHODS, WRAPPERS
        from heatproof.heatmaps.control_methods import INPUT_ONLY
        from heatproof.heatmaps.third_party import PACKAGES

        controls_last = dict(sorted(METHODS.items(), key=lambda method: method[0] in INPUT_ONLY))
        found = _described(controls_last) | {f"{name}:METHOD": text for name, text in _described(WRAPPERS).items()}
        found |= {f"{prefix}:{package.example}": package.describe() for prefix, package in PACKAGES.items()}
        return found | {"FILE.py:function": "Yours: (network, images, targets) -> (N, H, W); its code is run."}
    if name == "measures":
        from heatproof.measures import MEASURES

        return {name: measure.describe() for name, measure in MEASURES.items()}
    if name == "data":
        from heatproof.data import DATASETS

        return PICTURES | {f"--data {name}:PATH": text for name, text in _described(DATASETS).items()}
    from heatproof.perturbation import REGIONS, REPLACEMENTS
    from heatproof.perturbation.protocols import PROTOCOLS
    from heatproof.perturbation.scores import SCORES

    registries: dict[str, Mapping[str, Callable[..., Any]]] = {
        "protocols": PROTOCOLS,
        "replacements": REPLACEMENTS,
        "regions": REGIONS,
        "scores": SCORES,
    }
    return _described(registries[name])


def _described(registry: Mapping[str, Callable[..., Any]]) -> dict[str, str]:
    """First line of each entry's docstring, by name with its options."""
    entries = {}
    for name, function in registry.items():
        options = ",".join(f"{option}={default}" for option, default in options_of(function).items())
        entries[f"{name}[{options}]" if options else name] = (function.__doc__ or "").strip().splitlines()[0]
    return entries
