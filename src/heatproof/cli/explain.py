"""``heatproof explain``."""

from typing import Annotated

import typer

from heatproof.cli.application import PARTIAL, app
from heatproof.cli.explaining import Explaining
from heatproof.cli.opening import Open, open_page
from heatproof.cli.output import tell
from heatproof.cli.places import Overwrite, written_to
from heatproof.cli.printing import say, warn
from heatproof.errors import InputError
from heatproof.options.option import Option
from heatproof.options.perturbing import AgainstOption


@app.command("explain")
def explain_command(
    given: Explaining,
    *,
    context: typer.Context,
    out: Annotated[str, Option("Folder for the pictures.", short="-o", metavar="FOLDER")] = "heatmaps",
    against: AgainstOption = None,
    overwrite: Overwrite = False,
    opened: Open = False,
) -> None:
    """Writes one picture per image and method, the image beside its heatmap, and a page.

    [bold]heatproof explain photo.jpg --methods lrp-alphabeta,deconvolution-l2 --open[/bold]
    """
    from heatproof.report import counted
    from heatproof.studies.explain import ON_THE_PAGE, explain_pictures

    with written_to(context, out, overwrite=overwrite) as store:
        folder = store.local_path("report.html")
        if folder is None:
            raise InputError(f"expected a folder for the pictures, got the URL {out!r}")
        network = given.load_network()
        pictures = given.read_askable(network, against)
        methods = given.methods_for(pictures)
        written = explain_pictures(network, pictures, methods, folder.parent, against=against, memory=given.memory)
    warn(written.warnings)
    files, page = [f"{out}/{name}" for name in written.files], f"{out}/{written.page}"
    tell(files=files, page=page)
    for file in files:
        say(file)
    say(f"{page} ({counted(min(len(pictures.names), ON_THE_PAGE), 'picture')} in one page)")
    if opened:
        open_page(out)
    if pictures.skipped:
        raise typer.Exit(PARTIAL)
