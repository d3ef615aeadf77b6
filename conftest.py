"""Examples in modules that need an optional package are left out where it is not installed."""

from importlib.util import find_spec

NEEDED = {"callback": "lightning", "metric": "torchmetrics"}  # pip install "heatproof[training]"

collect_ignore = [f"src/heatproof/training/{file}.py" for file, package in NEEDED.items() if not find_spec(package)]
