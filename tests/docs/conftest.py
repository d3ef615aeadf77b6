"""Pages show commands, so their tests run some."""

from tests.cli.conftest import run

__all__ = ["run"]
