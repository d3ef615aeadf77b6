"""Networks of Caffe, from the files that their authors publish; Caffe itself is not needed."""

from heatproof.network.caffe.blobs import read_mean
from heatproof.network.caffe.network import CaffeNetwork, open_network, read_network

__all__ = ["CaffeNetwork", "open_network", "read_mean", "read_network"]
