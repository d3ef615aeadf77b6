"""The ``heatproof`` command: parse, call, print. One module per command."""

from heatproof.cli.application import CHECK_FAILED, DISK_ERROR, INPUT_ERROR, INTERRUPTED, PARTIAL, main
from heatproof.registry import import_modules

__all__ = ["CHECK_FAILED", "DISK_ERROR", "INPUT_ERROR", "INTERRUPTED", "PARTIAL", "main"]

import_modules(__name__)  # their decorators register the commands
