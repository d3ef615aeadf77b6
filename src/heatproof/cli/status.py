"""``heatproof status``."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from heatproof.cli.application import app
from heatproof.cli.output import output, tell
from heatproof.cli.printing import say, warn
from heatproof.options.option import Option
from heatproof.runs.store import open_store
from heatproof.wording import counted, duration

if TYPE_CHECKING:
    from heatproof.runs.progress import RunProgress
    from heatproof.runs.records import FailureRecord

SHOWN = 20  # of failures, workers, problems; --json has all


@app.command("status")
def status_command(
    run: Annotated[str, Option("Folder or URL of a run.", positional=True, metavar="RUN")],
) -> None:
    """How far a run is: shards and images done, failed and left, the rate, the time left, and who is at it.

    Only reads, and may be called while the run is written.

    [bold]heatproof status RUN[/bold]
    """
    from heatproof.runs.progress import read_progress

    progress = read_progress(open_store(run))
    tell(**progress.describe())
    if output.as_json:
        return
    for name, text in _lines(progress, datetime.now(UTC)):
        say(f"{name:<12} {text}")
    for failure in progress.failed[:SHOWN]:
        say(f"{'failed':<12} {_told(failure)}")
    _more(len(progress.failed), "failed shard")
    warn(progress.problems[:SHOWN])
    _more(len(progress.problems), "problem")


def _lines(progress: "RunProgress", now: datetime) -> list[tuple[str, str]]:
    skipped = f", {progress.skipped:,} skipped" if progress.skipped else ""
    left = "not known yet" if progress.seconds_left is None else duration(progress.seconds_left)
    return [
        ("run", f"{progress.place}: {progress.study} on {progress.data}"),
        ("state", _state(progress)),
        (
            "shards",
            f"{progress.whole:,} of {progress.shards:,} done, {len(progress.failed):,} failed, {progress.left:,} left",
        ),
        ("images", f"{progress.images:,} of {progress.members:,} done{skipped}"),
        ("work", f"{counted(progress.evaluations, 'evaluation')}, {duration(progress.seconds)} of computing"),
        ("rate", _rate(progress, now)),
        *([("time left", left)] if progress.seconds_left != 0 else []),
        *[("worker", text) for text in _workers(progress)],
    ]


def _state(progress: "RunProgress") -> str:
    return {
        "finished": "finished",
        "running": f"being written by {progress.holder}",
        "stopped": "not finished, and nobody is writing it: start it again to go on",
        "unknown": "not finished; a URL has no lock that would tell whether somebody is writing it",
    }[progress.state]


def _rate(progress: "RunProgress", now: datetime) -> str:
    pace = progress.pace
    if not pace:
        return "not known yet"
    return (
        f"{pace.images / pace.seconds:,.3g} images a second since {pace.since:%Y-%m-%d %H:%M} UTC; "
        f"last shard {duration(max((now - pace.last).total_seconds(), 0))} ago"
    )


def _workers(progress: "RunProgress") -> list[str]:
    busiest = sorted(progress.workers, key=lambda worker: -worker.shards)
    texts = [
        f"{worker.name}: {counted(worker.shards, 'shard')}, {counted(worker.images, 'image')} "
        f"in {duration(worker.seconds)}"
        for worker in busiest[:SHOWN]
    ]
    return [*texts, f"… and {len(busiest) - SHOWN:,} more"] if len(busiest) > SHOWN else texts


def _told(failure: "FailureRecord") -> str:
    return f"shard {failure.shard} (tries: {failure.tries}; last on {failure.worker}): {failure.error}"


def _more(count: int, what: str) -> None:
    if count > SHOWN:
        say(f"… and {counted(count - SHOWN, f'more {what}')}; --json has all")
