"""Methods that can be asked about whatever comes, as studies need that make images or networks of their own."""

from heatproof.errors import InputError
from heatproof.studies.task import Method, Methods, named_methods


def computed_only(methods: Methods, of: str) -> dict[str, Method]:
    """Methods by name, checked, all of which can be computed of whatever comes; ``of`` says what comes.

    Raises:
        InputError: for heatmaps that are there already.
    """
    named = named_methods(methods)
    for name, method in named.items():
        if not (isinstance(method, str) or callable(method)):
            raise InputError(
                f"{name}: expected the name of a method or a callable (network, images, targets), got precomputed "
                f"heatmaps, which do not belong to {of}"
            )
    return named
