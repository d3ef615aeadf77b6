"""Exports a torch module to a graph, by ``torch.export``."""

import builtins
import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.network.attention import with_gates
from heatproof.network.graph import Graph
from heatproof.network.operations.normalization import AsOneOperation
from heatproof.network.reading import ProgramReader, ViewChangedError
from heatproof.network.simplifying import fold, merge


def export(module: nn.Module, shape: tuple[int, ...]) -> Graph:
    """The graph of ``module`` for images of ``shape`` (C, H, W), for any batch size.

    Raises:
        InputError: if the module cannot be exported, or is no fixed function of an image.
    """
    return read_program(exported_program(module, shape), shape)


@torch.inference_mode(False)
@torch.no_grad()
def read_program(
    program: torch.export.ExportedProgram, shape: tuple[int, ...], weights: Mapping[str, Tensor] | None = None
) -> Graph:
    """The graph of a program; ``weights`` by name take the place of its own.

    Operations that change nothing (dropout in evaluation, copies) are left out; whatever does not depend on the image
    is computed now; batch norms are folded into the convolutions before them; an activation that is written as several
    operations becomes one; weights of attention are gates. Operations that heatproof does not know stay as they are.

    Raises:
        InputError: if it is no fixed function of an image.
    """
    try:
        graph = ProgramReader(program, weights).graph(shape)
    except ViewChangedError:  # torch can say it without changes in place, which takes seconds
        graph = ProgramReader(program.run_decompositions({}), weights).graph(shape)
    return with_gates(merge(fold(graph)))


@torch.inference_mode(False)
@torch.no_grad()
def exported_program(module: nn.Module, shape: tuple[int, ...]) -> torch.export.ExportedProgram:
    """The module as a program, for images of ``shape`` (C, H, W) and any batch size.

    Raises:
        InputError: if it cannot be exported.
    """
    parameter = next(module.parameters(), torch.zeros(()))
    sample = torch.zeros(2, *shape, dtype=parameter.dtype, device=parameter.device)
    try:
        return _program(module, sample, torch.export.Dim("batch", min=1))
    except Exception as error:  # the exporter raises dozens of types
        reason = error
    if str(reason).startswith("Constraints violated"):  # often by what it cannot prove of stacked views, see DYNAMIC
        try:
            return _program(module, sample, torch.export.Dim.DYNAMIC)
        except Exception as error:
            reason = error
    if "specialized it to be a constant" in str(reason):  # as by len(x)
        try:
            with _symbolic_lengths():
                return _program(module, sample, torch.export.Dim("batch", min=1))
        except Exception as error:
            reason = error
    raise InputError(f"the model cannot be exported by torch.export: {_first_lines(reason)}") from reason


def _program(module: nn.Module, sample: torch.Tensor, batch: Any) -> torch.export.ExportedProgram:  # noqa: ANN401
    kinds = [parameter.kind for parameter in inspect.signature(module.forward).parameters.values()]
    free: tuple[Any, ...] = ({0: batch},)  # the size of the batch
    if kinds[:1] == [inspect.Parameter.VAR_POSITIONAL]:
        free = (free,)  # ``forward(self, *images)`` has one argument more around it
    with warnings.catch_warnings(), AsOneOperation():
        warnings.simplefilter("ignore")  # the exporter's own notices
        # several outputs or inputs of another form fail in the reader, with a message of their own
        return torch.export.export(module, (sample,), dynamic_shapes=free)


@contextmanager
def _symbolic_lengths() -> Iterator[None]:
    """Within this context ``len(x)`` of a tensor is its first size: a symbol, of which Python's own makes a number."""
    plain = builtins.len

    def length(of: Any) -> Any:  # noqa: ANN401 - whatever has a length
        return of.shape[0] if isinstance(of, torch.Tensor) and of.ndim else plain(of)

    builtins.len = length
    try:
        yield
    finally:
        builtins.len = plain


def _first_lines(error: Exception) -> str:
    """What an error says; the exporter's first line may be the name of a kind, with the reason below."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    kinds = ("Constraints violated", "Specializations unexpectedly")
    detail = next((line.strip(" -") for line in lines if line.startswith("  - ")), "")
    return detail if detail and lines[0].startswith(kinds) else lines[0]
