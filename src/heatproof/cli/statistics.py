"""``heatproof statistics``."""

import shlex
from typing import Annotated

import typer

from heatproof.cli.application import PARTIAL, app
from heatproof.cli.options import Picturing
from heatproof.cli.output import tell
from heatproof.cli.places import inputs_of
from heatproof.cli.printing import say
from heatproof.options.option import Option


@app.command("statistics")
def statistics_command(
    *,
    context: typer.Context,
    out: Annotated[str, Option("Safetensors file to write; it must not exist.", short="-o")],
    given: Picturing,
) -> None:
    """Mean image and spread of a data set, as the network wants its pictures: for replacements constant and dirichlet.

    [bold]heatproof statistics --data ilsvrc2012:PATH --images 5000 --out mean.safetensors[/bold]

    [bold]heatproof compare photos/ --replacement constant --statistics mean.safetensors --out RUN[/bold]
    """
    from heatproof.perturbation import Statistics
    from heatproof.runs.output_paths import check_new_file, write_file

    check_new_file(out, inputs_of(context))
    network = given.load_network()
    pictures = given.read_pictures(network)
    where = shlex.join(given.images) if given.images else str(given.data)
    found = Statistics.of(pictures.images, source=where)
    write_file(out, found.to_bytes())
    tell(file=out, statistics=str(found))
    say(f"{out}: {found}")
    if pictures.skipped:
        raise typer.Exit(PARTIAL)
