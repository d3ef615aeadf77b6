"""A module is tried on two images: its last squashing is cut off, it is exported, and its contract is checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.network.contract import agree, check_company, evaluated, first_scores, no_memory
from heatproof.network.draws import watched
from heatproof.network.exact import multiplying
from heatproof.network.export import exported_program, read_program
from heatproof.network.formats.archives import first_line
from heatproof.network.formats.scripts import Script
from heatproof.network.forward import check_logits
from heatproof.network.graph import FEW, Graph
from heatproof.network.squashing import (
    are_log_probabilities,
    are_probabilities,
    cut,
    cut_script,
    is_cut,
    with_logarithm,
)
from heatproof.network.tokens.unread import without_unread

Found = TypeVar("Found")
NO_LOGITS = (
    "ends in a softmax that cannot be taken off: heatmaps explain log-probabilities, and the score is log_probability, "
    "probability or margin; give a module that returns logits for the score logit"
)


@dataclass(frozen=True)
class Trial:
    """What came of trying a module."""

    graph: Graph | InputError  # of the module, or why it has none
    scoring: Graph | InputError  # by which scores are evaluated: the same, without what none of them reads
    classes: int  # how many scores it gives
    gives_logits: bool  # these are logits, and not log-probabilities
    program: torch.export.ExportedProgram | None = None  # that the graph was read from


def tried(
    module: nn.Module, inputs: Tensor, name: str, program: torch.export.ExportedProgram | None = None
) -> tuple[nn.Module, Trial]:
    """The module, which gives logits or log-probabilities now, and what came of trying it on two images (2, C, H, W).

    ``program`` is that of a module that differs in its weights alone, if there is one.

    Raises:
        InputError: if it cannot evaluate them, or if its scores are not finite or depend on more than one image.
    """
    first, recorded = first_scores(module, inputs[:1], name)
    module, changed = _without_squashing(module, recorded.squashing(first))
    first = evaluated(module, inputs[:1], name) if changed else first
    if are_probabilities(first) and are_probabilities(evaluated(module, inputs[1:], name)):
        module = with_logarithm(module)
        first = evaluated(module, inputs[:1], name)
    gives_logits = not (are_log_probabilities(first) and are_log_probabilities(evaluated(module, inputs[1:], name)))
    both = inputs.flip(0)
    try:
        with watched(inputs.device):  # what an export evaluates may draw, too
            graph, program = _read(module, both, first, program)
    except Exception as error:  # a graph may hold whatever can be exported
        if no_memory(error):
            raise
        check_company(module, first, both, name)
        reason = error if isinstance(error, InputError) else InputError(_reason(error))
        return module, Trial(reason, reason, first.shape[1], gives_logits)
    return module, Trial(graph, _scoring(graph, module, both, first), first.shape[1], gives_logits, program)


def _read(
    module: nn.Module, both: Tensor, first: Tensor, program: torch.export.ExportedProgram | None
) -> tuple[Graph, torch.export.ExportedProgram]:
    """The module's graph, and the program that it is read from: the given one, if that computes what the module does.

    Raises:
        InputError: if it has none.
    """
    if isinstance(module, Script):
        raise InputError("TorchScript cannot be exported: give the torch module that it was made of")
    shape = tuple(both.shape[1:])
    weights = {**module.state_dict(), **dict(module.named_parameters())}
    if program is not None and program.state_dict.keys() <= weights.keys():  # exporting is slow
        graph = read_program(program, shape, weights)
        if _agrees(graph, module, both, first):
            return graph, program
    program = exported_program(module, shape)
    graph = read_program(program, shape)
    if not _agrees(graph, module, both, first):
        raise InputError("the exported program gives other scores than the model")
    return graph, program


def _scoring(graph: Graph, module: nn.Module, both: Tensor, first: Tensor) -> Graph:
    """The graph without what no score reads, where that gives the same scores."""
    try:
        shorter = without_unread(graph, both)
        return shorter if shorter is graph or _agrees(shorter, module, both, first) else graph
    except Exception as error:  # no rule foresaw this graph; the whole of it has been tried
        if no_memory(error):
            raise
        return graph


def _agrees(graph: Graph, module: nn.Module, both: Tensor, first: Tensor) -> bool:
    """Whether the second of these images has the scores ``first``, also where a graph's first stage divides a batch."""
    images = both[[1, 0] * FEW][: FEW + 1].contiguous(memory_format=torch.channels_last)
    return agree(check_logits(graph.evaluate(images))[::2], first, module)


def _without_squashing(module: nn.Module, squashed: frozenset[int]) -> tuple[nn.Module, bool]:
    """The module, and whether something was cut off."""
    if is_cut(module):
        return module, False
    if squashed:
        return cut(module, squashed), True
    program = cut_script(module.program) if isinstance(module, Script) else None
    if program is None:
        return module, False
    module.program = program
    return cut(module, frozenset()), True


def once(
    known: dict[tuple[int, ...], Found | InputError],
    shape: tuple[int, ...],
    find: Callable[[], Found],
    refuse: Callable[[str], InputError],
) -> Found:
    """What is known for images of ``shape``: found the first time, or refused with the reason, then and later."""
    if shape not in known:
        try:
            with torch.inference_mode(), multiplying(tf32=False):
                known[shape] = find()
        except Exception as error:  # a graph may hold whatever can be exported
            known[shape] = refuse(_reason(error))
    found = known[shape]
    if isinstance(found, InputError):
        raise found
    return found


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {first_line(error)}"
