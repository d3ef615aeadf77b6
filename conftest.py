"""Examples in modules that need an optional package are left out where it is not installed."""

import os
from importlib.util import find_spec

NEEDED = {"callback": "lightning", "metric": "torchmetrics"}  # pip install "heatproof[training]"

collect_ignore = [f"src/heatproof/training/{file}.py" for file, package in NEEDED.items() if not find_spec(package)]

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COLUMNS", None)  # a console that is made while it is set keeps its width
