"""``heatproof plan``."""

from dataclasses import asdict

import typer

from heatproof import studies
from heatproof.cli.application import PARTIAL, app
from heatproof.cli.options import Explaining, Perturbing
from heatproof.cli.printing import console, print_forecast
from heatproof.cli.spreading import spread


@app.command("plan")
@spread
def plan_command(*, given: Explaining, perturbing: Perturbing) -> None:
    """What would 'heatproof compare' take: evaluations, memory, time? Measures a small part of it.

    [bold]heatproof plan photos/ --network torchvision:vgg16 --repeats 10[/bold]
    """
    network = given.load_network()
    pictures = given.read_pictures(network, seed=perturbing.seed)
    with console.status("measuring"):
        forecast = studies.plan_comparison(
            network, pictures.images, given.method_names, **asdict(perturbing), memory=given.memory_bytes
        )
    print_forecast(forecast)
    if pictures.skipped:
        raise typer.Exit(PARTIAL)
