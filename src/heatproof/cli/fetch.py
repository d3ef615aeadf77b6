"""``heatproof fetch``."""

from pathlib import Path
from typing import Annotated

from heatproof.cli.application import app
from heatproof.cli.output import tell
from heatproof.cli.printing import downloading, say
from heatproof.errors import InputError
from heatproof.options.option import Option
from heatproof.registry import unknown


@app.command("fetch")
def fetch_command(
    names: Annotated[
        list[str] | None,
        Option("Names of published networks.", positional=True, metavar="[NAME]…", shows_default=False),
    ] = None,
    *,
    to: Annotated[Path | None, Option("Folder for the files. Default: heatproof in your cache folder.")] = None,
) -> None:
    """Downloads networks from the addresses of their authors; without a name, lists them.

    A download that was interrupted resumes.

    [bold]heatproof fetch[/bold]

    [bold]heatproof fetch caffenet --to networks/[/bold]
    """
    from heatproof.network.fetching import cache_folder
    from heatproof.network.published import PUBLISHED

    if not names:
        tell(networks={name: entry.about for name, entry in PUBLISHED.items()})
        for name, entry in PUBLISHED.items():
            say(f"{name}\n    {entry.about}")
        return
    for name in names:
        if name not in PUBLISHED:
            raise InputError(unknown("published network", name, list(PUBLISHED)))
    for name in names:
        _fetch(name, to or cache_folder())


def _fetch(name: str, folder: Path) -> None:
    """All files of one network."""
    from heatproof.network.fetching import fetch
    from heatproof.network.published import PUBLISHED

    entry = PUBLISHED[name]
    for file in entry.files:
        with downloading(file.filename) as advance:
            fetched = fetch(file, folder, on_progress=advance)
        tell(files=[{"path": fetched.path, "sha256": fetched.sha256, "as_published": fetched.verified}])
        note = "as published" if fetched.verified else "its publisher prints no checksum"
        say(f"{fetched.path}\n    SHA-256 {fetched.sha256} ({note})")
    say(f"\n{name}: {entry.options(folder)}")
