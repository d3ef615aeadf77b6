import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))  # small_networks, lrp_rules
