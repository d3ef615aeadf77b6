"""Other processes, which write to a run and die."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import heatproof

LIGHT = """
import sys, types
root = sys.argv[1]  # heatproof itself would load torch, which takes seconds
for name, folder in (("heatproof", root), ("heatproof.runs", root + "/runs")):
    sys.modules[name] = module = types.ModuleType(name)
    module.__path__ = [folder]
from pathlib import Path
run = Path(sys.argv[2])
"""


@pytest.fixture
def another_process():
    """Starts Python code that knows ``run``, in a process of its own that ends with the block."""

    @contextmanager
    def start(code, run):
        arguments = [sys.executable, "-c", LIGHT + code, str(Path(heatproof.__file__).parent), str(run)]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    return start
