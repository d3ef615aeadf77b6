"""Layers of a module, as packages read them: tokens of a transformer's layer as maps of its patches."""

from typing import Any

import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.network.tokens import SelfAttention
from heatproof.registry import unknown

LISTED = 40


class WithPatches(nn.Module):
    """A module, and one beside it that sees the maps of patches: packages look for layers, and replace them, in it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module, self.patches = module, nn.Identity()

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401 - whatever the module returns
        """The module's value."""
        return self.module(images)


class Layer:
    """A layer of a module, found by its path, such as ``layer4.1``, or the end of one.

    Without a path it is the last norm of tokens before the last attention of a transformer.

    Args:
        network: whose ``module`` a working copy is.
        module: the working copy.
        path: of the layer.
        spec: name of the method, for messages.

    Attributes:
        model: the working copy, to be handed to packages.

    Raises:
        InputError: if there is none.
    """

    def __init__(self, network: Network, module: nn.Module, path: str, spec: str) -> None:
        self.model = WithPatches(module)
        self._network, self._spec = network, spec
        self._layer = layer_of(module, path or _last_norm(network), spec)
        self._tokens: dict[tuple[int, ...], bool] = {}  # whether it gives tokens, by shape of the image
        self._attention: SelfAttention | None = None

    def read_by(self, inputs: Tensor) -> nn.Module:
        """The module to hook for inputs (n, C, H, W): the layer or, where its value is tokens, one that sees maps.

        These have the tokens of patches alone: (n, D, rows, columns) of (n, T, D).

        Raises:
            InputError: if the first dimension of the layer's value is not that of images.
        """
        shape = tuple(inputs.shape[1:])
        self._attention = _attention_of(self._network, shape)
        if self._attention is None and len(inputs) == 1:
            return self._layer
        if shape not in self._tokens:
            first = not any(self._tokens.values())
            self._tokens[shape] = self._gives_tokens(inputs)
            if self._tokens[shape] and first:
                self._layer.register_forward_hook(self._through_maps)
        return self.model.patches if self._tokens[shape] else self._layer

    @torch.no_grad()
    def _gives_tokens(self, inputs: Tensor) -> bool:
        values: list[Any] = []
        handle = self._layer.register_forward_hook(lambda layer, read, value: values.append(value))
        try:
            self.model(inputs[:1].detach())
        finally:
            handle.remove()
        if values and isinstance(values[0], Tensor) and len(values[0]) != 1:
            raise InputError(
                f"{self._spec} reads values of shape {tuple(values[0].shape)} for one image, which are nowhere in it; "
                "take a layer whose output is (C, h, w), or tokens (T, D) of a transformer"
            )
        return bool(values) and self._is_tokens(values[0])

    def _is_tokens(self, value: Any) -> bool:  # noqa: ANN401 - whatever a layer returns
        size = self._attention.sequence.size if self._attention else -1
        return isinstance(value, Tensor) and value.ndim == 3 and value.shape[1] == size

    def _through_maps(self, layer: nn.Module, read: Any, value: Any) -> Tensor | None:  # noqa: ANN401
        """The same tokens (N, T, D), with those of patches passed through as maps."""
        if self._attention is None or not self._is_tokens(value):
            return None
        patches, grid = self._attention.patches, self._attention.grid
        maps = value[:, patches].transpose(1, 2).unflatten(2, (grid.rows, grid.columns))
        maps = maps.clone(memory_format=torch.contiguous_format)  # since packages write into it
        back = self.model.patches(maps).flatten(2).transpose(1, 2)
        return torch.cat([value[:, : patches.start], back, value[:, patches.stop :]], dim=1)


def layer_of(module: nn.Module, path: str, spec: str) -> nn.Module:
    """The layer at a path such as ``layer4.1`` or, where that is enough, the end of one.

    Raises:
        InputError: if there is none.
    """
    layers: dict[str, nn.Module] = {name: layer for name, layer in module.named_modules() if name}
    ends = [name for name in layers if name.endswith(f".{path}")]
    if path in layers:
        return layers[path]
    if path and len(ends) == 1:
        return layers[ends[0]]
    if not path:
        raise InputError(f"{spec} needs a layer: {spec}@LAYER; layers: {_some(list(layers))}")
    message = unknown(f"layer of {spec}:", path, list(layers))
    raise InputError(message[: message.index("known: ")] + f"known: {_some(list(layers))}")


def _last_norm(network: Network) -> str:
    """Path of the last norm before the last attention, or nothing where there is none."""
    attention = _attention_of(network, network.shapes[-1]) if network.shapes else None
    path = attention.last_norm if attention else None
    return path if path and path in dict(network.module.named_modules()) else ""


def _attention_of(network: Network, shape: tuple[int, ...]) -> SelfAttention | None:
    try:
        return network.attention(shape)
    except InputError:
        return None


def _some(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
