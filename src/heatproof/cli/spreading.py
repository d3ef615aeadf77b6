"""Options that several commands share are declared once: as the fields of a dataclass."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the fields of its dataclasses as arguments of its own, since Typer reads options from these.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Size:
    ...     height: int
    ...     width: int = 4
    >>> @spread
    ... def area(size: Size, *, unit: str = "pixels") -> None:
    ...     print(size.height * size.width, unit)
    >>> area(height=3)
    12 pixels
    >>> inspect.signature(area)
    <Signature (*, height: int, width: int = 4, unit: str = 'pixels') -> None>
    """
    signature = inspect.signature(command)
    groups: dict[str, Any] = {
        name: p.annotation for name, p in signature.parameters.items() if is_dataclass(p.annotation)
    }

    @wraps(command)
    def called(**given: Any) -> None:  # noqa: ANN401 - whatever the options hold
        for name, group in groups.items():
            given[name] = group(**{f.name: given.pop(f.name) for f in fields(group) if f.name in given})
        command(**given)

    parameters = [
        single
        for name, p in signature.parameters.items()
        for single in (_parameters(groups[name]) if name in groups else [p.replace(kind=p.KEYWORD_ONLY)])
    ]
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return called


def _parameters(group: Any) -> list[inspect.Parameter]:  # noqa: ANN401 - a dataclass
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=field.type,
        )
        for field in fields(group)
    ]
