"""Names and options of other packages' methods, read from their signatures."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from heatproof.bounds import LEVEL, SEED, Bounds
from heatproof.errors import InputError
from heatproof.registry import Option, parse_spec, unknown

OURS: dict[str, Any] = {"seed": 0, "channels": "sum"}
_WORDS = {"true": True, "false": False}
COUNT = Bounds(1, 10_000)  # samples, steps, pixels: whatever packages count
_NAMED = {
    "seed": SEED,
    **dict.fromkeys(("eps", "epsilon", "stabilizer"), Bounds(1e-30, 1e30)),
    **dict.fromkeys(("stdevs", "gamma"), Bounds(0.0, 1e6)),
    "beta_smooth": Bounds(1e-6, 1e6),
    "ratio_channels_to_ablate": Bounds(0.0, 1.0),
}


def split_spec(spec: str) -> tuple[str, str, dict[str, Option]]:
    """Name, what stands behind an @, and options.

    >>> split_spec("LayerGradCam@layer4.1[relu_attributions=true]")
    ('LayerGradCam', 'layer4.1', {'relu_attributions': 'true'})
    """
    name, options = parse_spec(spec)
    kind, _, layer = name.partition("@")
    return kind.strip(), layer.strip(), options


def simple_options(*functions: Callable[..., Any], without: Iterable[str] = ()) -> dict[str, Any]:
    """Parameters that a text can set, with their defaults: texts, numbers, and truths.

    >>> def method(inputs, n_steps=50, method="gauss", target=None): ...
    >>> simple_options(method)
    {'n_steps': 50, 'method': 'gauss'}
    """
    found = {}
    for function in functions:
        for name, parameter in inspect.signature(function).parameters.items():
            if isinstance(parameter.default, bool | int | float | str) and name not in without:
                found[name] = parameter.default
    return found


def checked_options(method: str, given: Mapping[str, Option], known: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, each of the kind of its default.

    Raises:
        InputError: for one that is not known, or of another kind.
    """
    return {name: _checked(method, name, value, known) for name, value in given.items()}


def _checked(method: str, name: str, value: Option, known: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of any option
    if name not in known:
        raise InputError(unknown(f"option of method {method!r}:", name, sorted(known)))
    default = known[name]
    if isinstance(default, bool):
        if str(value).lower() not in _WORDS:
            raise InputError(f"option of method {method!r}: {name} must be true or false, got {value!r}")
        return _WORDS[str(value).lower()]
    what = f"option of method {method!r}: {name}"
    if isinstance(default, str) and not isinstance(value, str):
        raise InputError(f"{what} must be text, got {value!r:.80}")
    if isinstance(default, int | float) or not isinstance(value, str):
        _NAMED.get(name, COUNT if isinstance(default, int) else LEVEL).check(what, value)
    return value
