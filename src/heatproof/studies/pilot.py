"""A protocol is chosen on a pilot: a few images, drawn at random, that are then not judged."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from heatproof.errors import InputError
from heatproof.heatmaps.control_methods import MUST_BEAT, UPPER_MARK
from heatproof.network.network import Network
from heatproof.perturbation.fitting import can_drop
from heatproof.perturbation.protocols import DEFAULT
from heatproof.registry import unknown
from heatproof.results.choice import Choice
from heatproof.results.comparison import ComparisonResult
from heatproof.results.headline import proper_methods
from heatproof.results.protocol_comparison import candidate
from heatproof.studies.racing import at_random
from heatproof.studies.task import AnotherImage, Method
from heatproof.studies.wanted import Wanted

METHODS = 3  # whose maps are tried beside the controls: the first ones
SCORED = 6  # steps of a trajectory
SHARE = 0.2  # of the evaluations of a comparison of so many images as …
COMPARED = 200
FEWEST, MOST = 6, 16  # images of a pilot
LEFT = 5  # times as many images at least are left to be judged


def followed(wanted: Wanted, network: Network, shape: tuple[int, ...]) -> Wanted:
    """What is wanted, without candidates that the network cannot follow on images of ``shape`` (C, H, W)."""
    dropping = [name for name, protocol in wanted.candidates.items() if protocol.drops]
    if not dropping or can_drop(network, shape):
        return wanted
    left = {name: protocol for name, protocol in wanted.candidates.items() if name not in dropping}
    return replace(wanted, candidates=left)


def pilot_places(wanted: Wanted, addresses: Sequence[str]) -> tuple[int, ...]:
    """Places of the pilot's images; none where there are too few images to choose a protocol and judge."""
    count = pilot_size(wanted) if wanted.candidates else 0
    if not count or len(addresses) < (1 + LEFT) * count:
        return ()
    drawn = at_random(addresses, seed=wanted.protocol.seed, purpose="pilot of protocols")
    while count < len(drawn) and addresses[drawn[count]] == addresses[drawn[count - 1]]:
        count += 1  # an image that is there twice is not judged either
    return tuple(sorted(drawn[:count]))


def pilot_size(wanted: Wanted) -> int:
    """Number of images whose trial of all candidates takes a fifth of what a comparison of 200 images takes."""
    scored = wanted.protocol.scored or SCORED
    repeats = wanted.protocol.repeats
    one = 1 + (2 * len(wanted.methods) + 1) * scored * repeats
    affordable = int(SHARE * COMPARED * one / pilot_evaluations(wanted))
    return max(FEWEST, min(affordable, MOST))


def pilot_evaluations(wanted: Wanted) -> int:
    """Evaluations of one image of the pilot, under all candidates."""
    maps = len(tried_methods(wanted.methods))
    return len(wanted.candidates) * (1 + (2 * maps + 1) * SCORED)


def tried_methods(methods: Mapping[str, Method]) -> dict[str, Method]:
    """The first methods, the input-only baselines that they must beat, and the upper mark."""
    proper = [name for name in proper_methods(list(methods)) if not isinstance(methods[name], AnotherImage)]
    return {name: methods[name] for name in proper[:METHODS]} | {name: name for name in (*MUST_BEAT, UPPER_MARK)}


def trials(wanted: Wanted) -> dict[str, Wanted]:
    """What is wanted of the pilot under each candidate, by name."""
    return {
        name: Wanted(
            methods=tried_methods(wanted.methods),
            protocol=replace(protocol, scored=SCORED, repeats=1),
            lerf=True,
            symmetric=True,
            audit=0,
            show=0,
        )
        for name, protocol in wanted.candidates.items()
    }


def choice_of(found: Mapping[str, ComparisonResult], places: Sequence[int]) -> Choice:
    """The choice that trials lead to."""
    names = next(iter(found.values())).names
    rows = tuple(candidate(name, one) for name, one in found.items())
    return Choice(rows, names, tuple(places), DEFAULT)


def with_choice(wanted: Wanted, choice: Choice) -> Wanted:
    """What is wanted under the protocol that was chosen.

    Raises:
        InputError: if it is none of the candidates: another version chose it.
    """
    if choice.chosen not in wanted.candidates:
        raise InputError(f"the run was begun with {unknown('protocol', choice.chosen, list(wanted.candidates))}")
    return replace(wanted, protocol=wanted.candidates[choice.chosen], candidates={})
