"""What a pickle would make, found without making it: which classes, which texts, how deep."""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass

from heatproof.errors import InputError

DEEPEST = 200  # objects within objects: torch frees and compares them by calling itself
LARGEST = 2**22  # bytes

_CHANGES = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD")


@dataclass
class _Thing:
    """A value on the pickle's stack: its depth, and whether the memo gave it, so that it may not grow."""

    depth: int = 0
    shared: bool = False


def check_pickle(content: bytes, check_class: Callable[[str], None], check_text: Callable[[str], None]) -> None:
    """Refuses a pickle of which a class or a text is refused, one that is too deep, and one that holds itself.

    Raises:
        InputError: also where it is no pickle.
    """
    stack: list[_Thing | None] = []  # None is a mark
    memo: dict[object, _Thing] = {}
    try:
        for operation, value, _ in pickletools.genops(content):
            name = operation.name
            if name == "GLOBAL":
                check_class(str(value).replace(" ", "."))
            elif isinstance(value, str):
                check_text(value)
            if name in ("BINPUT", "LONG_BINPUT", "PUT"):
                memo[value] = _top(stack)
            elif name in ("BINGET", "LONG_BINGET", "GET"):
                memo[value].shared = True
                stack.append(memo[value])
            else:
                _apply(operation, stack)
    except InputError:
        raise
    except (ValueError, LookupError, OverflowError) as error:
        raise InputError(f"its objects cannot be read: {error}") from error


def _top(stack: list[_Thing | None]) -> _Thing:
    if not stack or stack[-1] is None:
        raise ValueError("the stack is empty")
    return stack[-1]


def _apply(operation: pickletools.OpcodeInfo, stack: list[_Thing | None]) -> None:
    """Takes what an operation takes, and puts what it puts."""
    taken: list[_Thing] = []
    before = [what.name for what in operation.stack_before]
    if "mark" in before:
        while (thing := stack.pop()) is not None:
            taken.append(thing)
        before = before[: before.index("mark")]
    for _ in before:
        thing = stack.pop()
        if thing is None:
            raise ValueError("a mark where a value should be")
        taken.append(thing)
    if operation.name == "MARK":
        stack.append(None)
    elif operation.name in _CHANGES:
        holder, held = taken[-1], taken[:-1]
        if holder.shared:
            raise InputError("it holds an object that could hold itself")
        holder.depth = _deeper(holder.depth - 1, *(thing.depth for thing in held))
        stack.append(holder)
    else:
        stack.extend(_Thing(_deeper(*(thing.depth for thing in taken))) for _ in operation.stack_after)


def _deeper(*depths: int) -> int:
    depth = max(depths, default=-1) + 1
    if depth > DEEPEST:
        raise InputError(f"its objects lie more than {DEEPEST} deep in one another")
    return depth
