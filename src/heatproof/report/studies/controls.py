"""What it means when a method does not beat a control."""

from heatproof.heatmaps.methods import split_prefix
from heatproof.heatmaps.wrapping import BLIND
from heatproof.results.ranking import Ranking
from heatproof.wording import listed

WORDS = {
    "centre-gaussian": "never saw the network",
    "sobel": "never saw the network",
    "negated": "has its signs flipped",
    "randomised": "explains a network with shuffled weights",
}  # of random and constant maps the verdict says it already: they are the random order


def is_control(name: str) -> bool:
    """Whether a method is a control.

    >>> is_control("sobel"), is_control("randomised[seed=1]:lrp-epsilon"), is_control("lrp-epsilon")
    (True, True, False)
    """
    return _kind(name) in (*BLIND, *WORDS)


def unbeaten_controls(ranking: Ranking) -> list[str]:
    """One sentence for each control that methods do not beat: the difference is not shown to lie above 0.

    A negated or randomised method is a control of that method alone, the others of all methods.
    """
    found = []
    for control in ranking.methods:
        if _kind(control) in WORDS:
            own = split_prefix(control)[1]
            rivals = [name for name in ranking.methods if (name == own if ":" in control else not is_control(name))]
            unbeaten = [name for name in rivals if not _beats(ranking, name, control)]
            if unbeaten:
                found.append(f"{control}, which {WORDS[_kind(control)]}, is not beaten by {listed(unbeaten)}")
    return found


def _kind(name: str) -> str:
    prefix, rest = split_prefix(name)
    return (prefix or rest).partition("[")[0]


def _beats(ranking: Ranking, method: str, control: str) -> bool:
    difference = ranking.differences.get((method, control))  # there, if the method comes first
    return difference is not None and difference.above
