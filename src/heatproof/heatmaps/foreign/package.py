"""A package whose methods can be named, whether it is installed or not."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

from heatproof.errors import InputError
from heatproof.heatmaps.methods import Method
from heatproof.network import Network


@dataclass(frozen=True)
class Package:
    """Where methods come from.

    Attributes:
        distribution: its name for pip.
        module: its name in Python.
        extra: of heatproof, which installs it.
        example: a method of it.
        meaning: what its methods are, in a sentence.
        build: the method of this name for a network, where the package is installed.
    """

    distribution: str
    module: str
    extra: str
    example: str
    meaning: str
    build: Callable[[str, Network], Method]

    @property
    def version(self) -> str | None:
        """Which is installed; none if it is not."""
        return metadata.version(self.distribution) if find_spec(self.module) else None

    def make(self, spec: str, network: Network) -> Method:
        """The method of this name for a network.

        Raises:
            InputError: for an unknown name, layer or option, or if the package is not installed.
        """
        if not find_spec(self.module):
            raise InputError(
                f'{spec} needs {self.distribution}, which is not installed: pip install "heatproof[{self.extra}]"'
            )
        return self.build(spec, network)

    def describe(self) -> str:
        """What its methods are, and whether it is there."""
        there = f"{self.version} is installed" if self.version else f'pip install "heatproof[{self.extra}]"'
        return f"{self.meaning} ({there})"
