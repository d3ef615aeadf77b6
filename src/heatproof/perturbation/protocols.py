"""Protocols by name: regions, replacement, how much is removed, and in which orders."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from heatproof.bounds import Bounds
from heatproof.defaults import ALL, AUTO
from heatproof.errors import InputError
from heatproof.options.perturbing import Evaluating, Examining
from heatproof.perturbation.protocol import Protocol
from heatproof.perturbation.replacements import DROP
from heatproof.registry import Registry, parse_spec, unknown

SCORED = 4  # steps of a trajectory: more cost more time than images for a standard error (docs/decisions.md)
DEFAULT = "coarse-blur"  # where nothing can be chosen: it can judge on most networks (docs/protocol.md)
CHOSEN_BY = ("regions", "replacement", "steps")  # options that say what a protocol would


@dataclass(frozen=True)
class NamedProtocol:
    """What a name stands for.

    Attributes:
        regions: as the option takes them.
        replacement: what a removed region becomes.
        steps: number of regions to remove, a share, or all; none for 100, or all if there are fewer.
        scored: number of steps at which the score is evaluated; none for all.
        symmetric: whether the least relevant regions are removed first as well, and methods are compared by the
            difference (ABPC); by AOPC if not.
        score: that is followed; ``auto`` for the one that the option says.
    """

    regions: int | str
    replacement: str
    steps: int | str | None = ALL
    scored: int | None = SCORED
    symmetric: bool = True
    score: str = AUTO


PROTOCOLS: Registry[Callable[..., NamedProtocol]] = Registry("protocol")
Removed = Annotated[float, Bounds(0.01, 1.0)]  # share of the regions


def share(removed: float) -> str:
    """As the option ``steps`` takes a share of the regions.

    >>> share(1.0), share(0.07)
    ('all', '7%')
    """
    return ALL if removed == 1 else f"{100 * removed:.9g}%"


@PROTOCOLS.register("samek2017")
def samek2017() -> NamedProtocol:
    """The paper's: 100 regions of 9 × 9 pixels become uniform noise, most relevant first; AOPC [Samek2017]."""
    return NamedProtocol(9, "uniform", steps=None, scored=None, symmetric=False)


@PROTOCOLS.register("fine-uniform")
def fine_uniform(*, score: str = AUTO) -> NamedProtocol:
    """The paper's regions and noise in both orders, at four sampled steps."""
    return NamedProtocol(9, "uniform", steps=None, score=score)


@PROTOCOLS.register("medium-blur")
def medium_blur(*, score: str = AUTO, removed: Removed = 1.0) -> NamedProtocol:
    """Squares of a sixteenth of the shorter side are blurred, until none is left; both orders."""
    return NamedProtocol("relative-grid[across=16]", "blur", share(removed), score=score)


@PROTOCOLS.register("coarse-blur")
def coarse_blur(*, score: str = AUTO, removed: Removed = 1.0) -> NamedProtocol:
    """Squares of an eighth of the shorter side are blurred, until none is left; both orders."""
    return NamedProtocol("relative-grid[across=8]", "blur", share(removed), score=score)


@PROTOCOLS.register("coarse-uniform")
def coarse_uniform(*, score: str = AUTO, removed: Removed = 1.0) -> NamedProtocol:
    """Squares of an eighth of the shorter side become uniform noise, until none is left; both orders."""
    return NamedProtocol("relative-grid[across=8]", "uniform", share(removed), score=score)


@PROTOCOLS.register("dropped-tokens")
def dropped_tokens(*, score: str = AUTO, removed: Removed = 1.0) -> NamedProtocol:
    """Squares of a network's own patches, about eight across, lose their tokens, until none is left; both orders."""
    return NamedProtocol(AUTO, DROP, share(removed), score=score)


@PROTOCOLS.register("large-blur")
def large_blur(*, score: str = AUTO, removed: Removed = 1.0) -> NamedProtocol:
    """Squares of a quarter of the shorter side are blurred, until none is left; both orders."""
    return NamedProtocol("relative-grid[across=4]", "blur", share(removed), score=score)


def is_open(options: Examining) -> bool:
    """Whether a protocol is to be chosen: where none is named, and no option says what it would."""
    return options.protocol == AUTO and all(_is_left(getattr(options, name)) for name in CHOSEN_BY)


def named(name: str) -> NamedProtocol:
    """What a name stands for, with options in brackets; the default for ``auto``.

    Raises:
        InputError: for an unknown name, or options that the protocol does not have or that are out of bounds.

    >>> named("samek2017").regions, named("coarse-blur[removed=0.5]").steps
    (9, '50%')
    """
    if name != AUTO and parse_spec(name)[0] not in PROTOCOLS:
        raise InputError(unknown("protocol", name, (AUTO, *sorted(PROTOCOLS))))
    found: NamedProtocol = PROTOCOLS.resolve(DEFAULT if name == AUTO else name)()
    return found


def protocol_of(options: Evaluating, name: str) -> Protocol:
    """The protocol of this name, with what options say instead.

    Raises:
        InputError: for an unknown name, options out of bounds, or two that say how much is removed.
    """
    known = named(name)
    said = {one: getattr(options, one, None) for one in ("regions", "replacement", "steps", "scored")}
    if "removed" in parse_spec(name)[1] and not _is_left(said["steps"]):
        raise InputError(f"{name} says how much is removed, and so does steps: leave out one of them")
    chosen = {one: getattr(known, one) if _is_left(value) else value for one, value in said.items()}
    if chosen["replacement"] == DROP and _is_left(said["regions"]):
        chosen["regions"] = AUTO  # regions consist of the network's patches, whatever a protocol's are
    score = {} if _is_left(known.score) else {"score": known.score}
    return Protocol.of(options, **chosen, **score)


def _is_left(value: object) -> bool:
    """Whether the protocol is to say it."""
    return value is None or (isinstance(value, str) and value == AUTO)
