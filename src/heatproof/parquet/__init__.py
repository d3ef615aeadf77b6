"""What a Parquet file says of itself, read before anything in it is unpacked."""

from heatproof.parquet.checking import check_parquet

__all__ = ["check_parquet"]
