"""``heatproof plan``."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from heatproof.cli.application import PARTIAL, app
from heatproof.cli.explaining import Explaining
from heatproof.cli.output import tell
from heatproof.cli.printing import print_forecast, say, waiting
from heatproof.cli.shell import shell_line
from heatproof.cli.study_file import StudyCommand, command_of, read_study
from heatproof.options.studies import PlanOptions
from heatproof.runs.study_file import Settings

PLANNED = ("--half-width", "--budget", "--pilot", "--images", "--repeats", "--scored")


class PlanCommand(StudyCommand):
    """Takes the study file of a comparison; what that says about its run directory is passed over."""

    def read(self, ctx: Any, file: Path) -> Settings:  # noqa: ANN401 - Typer's class is private
        """What the comparison's file holds for planning it."""
        comparison = command_of("compare", ctx.parent.command.commands)
        found = read_study(file, "compare", comparison.keys)
        return {name: value for name, value in found.items() if name in self.keys}


@app.command("plan", cls=PlanCommand)
def plan_command(*, given: Explaining, options: PlanOptions) -> None:
    """What would 'heatproof compare' take: evaluations, memory, time? Measures a small part of it.

    With --half-width or --budget: how many images, repeats and scored steps are enough? Learns it from a pilot.

    [bold]heatproof plan photos/ --network torchvision:vgg16 --repeats 10[/bold]

    [bold]heatproof plan photos/ --half-width 0.25[/bold]
    """
    from heatproof import studies

    network = given.load_network()
    pictures = given.read_askable(network, options.against, seed=options.seed)
    planned = options.half_width is not None or options.budget is not None
    with waiting(f"a pilot on up to {options.pilot} images, then measuring" if planned else "measuring"):
        forecast = studies.plan_comparison(network, pictures.images, given.methods_for(pictures), **vars(options))
    print_forecast(forecast)
    if forecast.proposal:
        command = as_comparison(sys.argv[1:], forecast.proposal.design.options)
        tell(command=command)
        say()
        say(command)
    if pictures.skipped:
        raise typer.Exit(PARTIAL)


def as_comparison(arguments: Sequence[str], options: str) -> str:
    """The command for a design, from the arguments of the command that planned it.

    >>> as_comparison(["plan", "my photos", "--half-width=5%", "--seed", "1"], "--images 40 --scored 6")
    "heatproof compare 'my photos' --seed 1 --images 40 --scored 6 --out RUN"
    """
    kept, rest = [], iter(arguments[arguments.index("plan") + 1 :])
    for argument in rest:
        if argument in PLANNED:
            next(rest, None)
        elif argument.partition("=")[0] not in PLANNED:
            kept.append(argument)
    return f"{shell_line(['heatproof', 'compare', *kept])} {options} --out RUN"
