"""A torch model as a graph: export, operations, forward, backward, and loading by name."""

from heatproof.network.loading import load_network
from heatproof.network.network import Network

__all__ = ["Network", "load_network"]
