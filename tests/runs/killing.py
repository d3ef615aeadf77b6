"""Kills a command before each of its file operations, one after the other, and gives the same command again.

``python killing.py FOLDER FIRST STRIDE '[COMMAND, …]'`` prints one JSON line for each STRIDEth operation of the last
command: what it was, and how the second attempt ended. FOLDER holds what the commands need; all but the last are run
there before. Everything is imported once, and each attempt is a child that is forked from that.
"""

import contextlib
import importlib
import io
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from PIL import Image

CHANGING = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NEVER = 10**9


class Killer:
    """Counts the operations that change a folder, and ends the process before one of them."""

    def __init__(self, folder, moment):
        self.folder, self.moment, self.count = str(folder), moment, 0
        sys.addaudithook(self.hook)

    def hook(self, event, arguments):
        if event not in CHANGING and not (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING):
            return
        path = arguments[0]
        if isinstance(path, int):
            path = Path(f"/proc/self/fd/{path}").readlink()
        if not os.path.abspath(os.fsdecode(path)).startswith(self.folder):  # noqa: PTH100 - it must not call anything
            return
        self.count += 1
        if self.count == self.moment:
            os.write(3, json.dumps([event, os.path.relpath(os.fsdecode(path), self.folder)]).encode())
            os.kill(os.getpid(), signal.SIGKILL)


def attempt(folder, command, moment=NEVER):
    """Runs the command in a child: its exit code (negative if killed), its messages, and where it was killed."""
    where, told = os.pipe()
    messages, said = os.pipe()
    child = os.fork()
    if not child:
        os.chdir(folder)
        os.dup2(told, 3)
        Killer(folder, moment)
        sys.argv = ["heatproof", *command]
        err = io.StringIO()
        code = 0
        from heatproof.cli import main, printing

        printing.console.file = err
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as stopped:
                code = stopped.code or 0
        os.write(said, err.getvalue().encode()[-4000:])
        folder.with_name("modules").write_text("\n".join(sys.modules))
        os._exit(code)
    for descriptor in (told, said):
        os.close(descriptor)
    with os.fdopen(where, "rb") as place, os.fdopen(messages, "rb") as texts:
        killed_at, text = place.read(), texts.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), text.decode(), json.loads(killed_at) if killed_at else None


def contents(folder):
    """Every file below a folder, but for what holds times, and for halves that were never given a name."""
    timed = {"log.jsonl", "lock", "written.jsonl", "run.json", "reproduce.md", "report.html", "audit.json"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in timed and not path.match("shards/*.json") and path.suffix != ".partial"
    }


def result_in(held, folder):
    """What of this lies in a folder, by its name there."""
    return {name.removeprefix(folder): content for name, content in held.items() if name.startswith(folder)}


def quickly_drawn(figure, form):
    """A stand-in for a figure's file: what figures look like takes most of the time, and pages read the PNG."""
    if form != "png":
        return f"{form} of {len(figure.axes)} axes".encode()
    content = io.BytesIO()
    Image.new("RGB", (len(figure.axes), 1)).save(content, "PNG")
    return content.getvalue()


def everything(template, first, stride, commands):
    """Prints one line for each operation."""
    template = Path(template).resolve()
    work = template.with_name("work")

    def anew():
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(template, work, symlinks=True)

    for command in commands[:-1]:
        code, text, _ = attempt(template, command)
        assert code == 0, text
    anew()
    before = contents(work)
    code, text, _ = attempt(work, commands[-1])
    assert code == 0, text
    expected, moment = contents(work), first
    for name in work.with_name("modules").read_text().splitlines():  # once, and not in every child
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    while True:
        anew()
        code, text, where = attempt(work, commands[-1], moment)
        if where is None:
            assert code == 0, text
            return
        left = contents(work)
        old, new = result_in(before, "RUN/"), result_in(expected, "RUN/")
        there = result_in(left, "RUN/") or result_in(left, ".RUN.heatproof-replaced/")
        code, text, _ = attempt(work, commands[-1])
        found = contents(work)
        line = {
            "moment": moment,
            "where": where,
            "lost": [name for name, held in before.items() if left.get(name) != held and not name.startswith("RUN/")],
            "complete": not old or there in (old, new),
            "code": code,
            "text": text.strip()[-500:],
            "differ": sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name)),
        }
        print(json.dumps(line), flush=True)
        moment += stride


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    import heatproof.cli
    import heatproof.report
    import heatproof.studies
    import heatproof.studies.road.running

    _ = heatproof.studies.run_comparison, heatproof.studies.explain_pictures
    for module in (heatproof.studies.study, heatproof.studies.explain):
        module.figure_bytes = quickly_drawn
    everything(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]))
