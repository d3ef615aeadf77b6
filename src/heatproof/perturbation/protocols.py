"""Protocols by name: regions, replacement, how much is removed, and in which orders."""

from collections.abc import Callable
from dataclasses import dataclass

from heatproof.defaults import ALL, AUTO
from heatproof.errors import InputError
from heatproof.options.perturbing import Evaluating, Examining
from heatproof.perturbation.protocol import Protocol
from heatproof.perturbation.replacements import DROP
from heatproof.registry import Registry, unknown

SCORED = 8  # steps of a trajectory: images differ far more than steps do
DEFAULT = "coarse-blur"  # where nothing can be chosen: it can judge on most networks (docs/protocol.md)
CHOSEN_BY = ("regions", "replacement", "steps")  # options that say what a protocol would


@dataclass(frozen=True)
class NamedProtocol:
    """What a name stands for.

    Attributes:
        regions: as the option takes them.
        replacement: what a removed region becomes.
        steps: number of regions to remove, or all; none for 100, or all if there are fewer.
        scored: number of steps at which the score is evaluated; none for all.
        symmetric: whether the least relevant regions are removed first as well, and methods are compared by the
            difference (ABPC); by AOPC if not.
    """

    regions: int | str
    replacement: str
    steps: int | str | None = ALL
    scored: int | None = SCORED
    symmetric: bool = True


PROTOCOLS: Registry[Callable[[], NamedProtocol]] = Registry("protocol")


@PROTOCOLS.register("samek2017")
def samek2017() -> NamedProtocol:
    """The paper's: 100 regions of 9 × 9 pixels become uniform noise, most relevant first; AOPC [Samek2017]."""
    return NamedProtocol(9, "uniform", steps=None, scored=None, symmetric=False)


@PROTOCOLS.register("fine-uniform")
def fine_uniform() -> NamedProtocol:
    """The paper's regions and noise in both orders, at eight sampled steps."""
    return NamedProtocol(9, "uniform", steps=None)


@PROTOCOLS.register("medium-blur")
def medium_blur() -> NamedProtocol:
    """Squares of a sixteenth of the shorter side are blurred, until none is left; both orders."""
    return NamedProtocol("relative-grid[across=16]", "blur")


@PROTOCOLS.register("coarse-blur")
def coarse_blur() -> NamedProtocol:
    """Squares of an eighth of the shorter side are blurred, until none is left; both orders."""
    return NamedProtocol("relative-grid[across=8]", "blur")


@PROTOCOLS.register("coarse-uniform")
def coarse_uniform() -> NamedProtocol:
    """Squares of an eighth of the shorter side become uniform noise, until none is left; both orders."""
    return NamedProtocol("relative-grid[across=8]", "uniform")


@PROTOCOLS.register("dropped-tokens")
def dropped_tokens() -> NamedProtocol:
    """Squares of a network's own patches, about eight across, lose their tokens, until none is left; both orders."""
    return NamedProtocol(AUTO, "drop")


@PROTOCOLS.register("large-blur")
def large_blur() -> NamedProtocol:
    """Squares of a quarter of the shorter side are blurred, until none is left; both orders."""
    return NamedProtocol("relative-grid[across=4]", "blur")


def is_open(options: Examining) -> bool:
    """Whether a protocol is to be chosen: where none is named, and no option says what it would."""
    return options.protocol == AUTO and all(_is_left(getattr(options, name)) for name in CHOSEN_BY)


def named(name: str) -> NamedProtocol:
    """What a name stands for; the default for ``auto``.

    Raises:
        InputError: for an unknown name.

    >>> named("samek2017").regions
    9
    """
    if name not in (AUTO, *PROTOCOLS):
        raise InputError(unknown("protocol", name, (AUTO, *sorted(PROTOCOLS))))
    found: NamedProtocol = PROTOCOLS[DEFAULT if name == AUTO else name]()
    return found


def protocol_of(options: Evaluating, name: str) -> Protocol:
    """The protocol of this name, with what options say instead.

    Raises:
        InputError: for an unknown name, or options out of bounds.
    """
    known = named(name)
    said = {one: getattr(options, one, None) for one in ("regions", "replacement", "steps", "scored")}
    taken = {one: getattr(known, one) if _is_left(value) else value for one, value in said.items()}
    if taken["replacement"] == DROP and _is_left(said["regions"]):
        taken["regions"] = AUTO  # regions consist of the network's patches, whatever a protocol's are
    return Protocol.of(options, **taken)


def _is_left(value: object) -> bool:
    """Whether the protocol is to say it."""
    return value is None or (isinstance(value, str) and value == AUTO)
