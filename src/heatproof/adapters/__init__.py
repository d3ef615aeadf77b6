"""Interfaces of other packages, measured by heatproof."""
