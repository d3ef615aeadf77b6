"""``heatproof explain``."""

from pathlib import Path
from typing import Annotated

import typer

from heatproof.cli.application import PARTIAL, app
from heatproof.cli.explaining import Explaining
from heatproof.cli.opening import Open, open_page
from heatproof.cli.output import tell
from heatproof.cli.printing import say, warn
from heatproof.cli.spreading import spread


@app.command("explain")
@spread
def explain_command(
    given: Explaining,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path("heatmaps"),
    opened: Open = False,
) -> None:
    """Writes one picture per image and method, the image beside its heatmap, and a page.

    [bold]heatproof explain photo.jpg --methods lrp-alphabeta,deconvolution-l2 --open[/bold]
    """
    from heatproof.report import counted
    from heatproof.studies.explain import ON_THE_PAGE, explain_pictures

    network = given.load_network()
    pictures = given.read_pictures(network)
    written = explain_pictures(network, pictures, given.methods_for(pictures), out, memory=given.memory_bytes)
    warn(written.warnings)
    tell(files=written.files, page=written.page)
    for file in written.files:
        say(str(file))
    say(f"{written.page} ({counted(min(len(pictures.names), ON_THE_PAGE), 'picture')} in one page)")
    if opened:
        open_page(out)
    if pictures.skipped:
        raise typer.Exit(PARTIAL)
