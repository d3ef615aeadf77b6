"""Network, images, classes → heatmaps, several methods from one recorded forward pass."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from heatproof.defaults import DEFAULT_MEMORY
from heatproof.errors import InputError
from heatproof.heatmaps.conservation import Conservation, first_overflow
from heatproof.heatmaps.methods import Method, check_one_logit, require
from heatproof.heatmaps.naming import method_of
from heatproof.network.against import Against, check_asked, together
from heatproof.network.backward import Relevance
from heatproof.network.exact import exactly
from heatproof.network.forward import ForwardPass
from heatproof.network.inputs import as_targets
from heatproof.network.network import Network

OwnMethod = Callable[[Network, Tensor, Tensor], Tensor]  # (network, images, targets) -> (N, H, W)


@dataclass(frozen=True)
class Explained:
    """Heatmaps of one batch: (N, H, W) by method, the targets and scores (N,), and conservation where LRP ran.

    ``against`` has the classes (N,) that the targets are asked against, if they are.
    """

    targets: Tensor
    scores: Tensor
    heatmaps: dict[str, Tensor]
    conservation: dict[str, Conservation] = field(default_factory=dict)
    against: Tensor | None = None

    @property
    def asked(self) -> Tensor:
        """(N,) the targets, or (N, 2) each with the class that it is asked against."""
        return together(self.targets, self.against)

    def classes(self, network: Network) -> tuple[str, ...]:
        """(N) names of the target classes, or what is asked in words: ``cat against dog``."""
        asked = self.asked.reshape(len(self.targets), -1).tolist()
        return tuple(" against ".join(map(network.class_name, classes)) for classes in asked)


def explain(
    network: Network,
    images: Tensor,
    method: str | OwnMethod,
    *,
    targets: Tensor | int | None = None,
    against: int | str | None = None,
    memory: int = DEFAULT_MEMORY,
) -> Tensor:
    """Heatmaps of the target scores.

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        method: a name such as ``"lrp-epsilon[epsilon=100]"`` (``heatproof list methods``), or your own callable
            ``(network, images, targets) -> (N, H, W)``.
        targets: (N,) class indices, or one for all images; by default the predicted classes.
        against: explain the difference of two logits, the target's minus that of another class: ``"second"`` (the
            highest of the others), a class's name, or its number.
        memory: bytes that activations may take.

    Returns:
        (N, H, W) signed maps on the device of ``images``; what positive means is the method's own. They are with
        respect to the normalised input of the network.

    Raises:
        InputError: for an unknown method, one that the network has no rule for, or a map that is not finite.

    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 2)))
    >>> explain(network, torch.rand(5, 3, 4, 4), "lrp-epsilon").shape
    torch.Size([5, 4, 4])
    """
    methods = {method if isinstance(method, str) else "your method": method}
    batches = explain_batches(network, images, methods, targets=targets, against=against, memory=memory)
    (maps,) = zip(*(batch.heatmaps.values() for batch in batches), strict=True)
    return torch.cat(maps)


def explain_batches(
    network: Network,
    images: Tensor,
    methods: Mapping[str, str | OwnMethod],
    *,
    targets: Tensor | int | None = None,
    against: Against | None = None,
    memory: int = DEFAULT_MEMORY,
) -> Iterator[Explained]:
    """Heatmaps of several methods, batch by batch, one recorded forward pass for each batch."""
    network.check(images)
    shape = tuple(images.shape[1:])
    resolved = {name: _resolved(method, network) for name, method in methods.items()}
    given = None if targets is None else as_targets(targets, len(images))
    against = None if against is None else network.class_against(against, shape)
    named = [method for method in methods.values() if isinstance(method, str)]
    for method in named:
        require(network, method, shape)
    records = 2 if any("randomised" in method for method in named) else 1
    size = network.batch_size(shape, memory // records, recorded=True)
    for start in range(0, len(images), size):
        chosen = None if given is None else given[start : start + size]
        yield _explained(network, images[start : start + size], chosen, against, resolved, start)


def check_heatmaps(heatmaps: Tensor, images: Tensor, name: str, first: int = 0) -> Tensor:
    """Refuses maps that do not fit the images or are not finite; ``first`` is the number of the first image."""
    expected = (len(images), *images.shape[2:])
    if not isinstance(heatmaps, Tensor) or tuple(heatmaps.shape) != expected:
        came = tuple(heatmaps.shape) if isinstance(heatmaps, Tensor) else type(heatmaps).__name__
        raise InputError(
            f"heatmaps of {name} must have shape (N, H, W) = {expected} to match images {tuple(images.shape)}, "
            f"got {came}"
        )
    finite = torch.isfinite(heatmaps).flatten(start_dim=1).all(dim=1)
    if not bool(finite.all()):
        index = int((~finite).nonzero()[0]) + first
        raise InputError(f"the heatmap of {name} for image number {index} is not finite (NaN or infinity)")
    return heatmaps


def _resolved(method: str | OwnMethod, network: Network) -> Method:
    if isinstance(method, str):
        return method_of(method, network)
    if not callable(method):
        raise TypeError(
            f"method must be a name or a callable (network, images, targets), got {type(method).__name__}; heatmaps "
            "that you have already go into a comparison as a tensor (N, H, W), such as torch.from_numpy(maps)"
        )

    def own(forward: ForwardPass) -> Tensor:
        check_one_logit(forward, "your method")
        return method(network, forward.images, forward.targets)

    return own


@torch.inference_mode(False)
@exactly
def _explained(
    network: Network,
    images: Tensor,
    targets: Tensor | None,
    against: Against | None,
    methods: Mapping[str, Method],
    first: int,
) -> Explained:
    own_images = images.clone() if images.is_inference() else images
    forward: ForwardPass = network.forward_pass(own_images, targets, against=against)
    check_asked(forward.asked, network.classes or (), first)
    device = forward.images.device
    others = None if forward.against is None else forward.against.to(device)
    explained = Explained(forward.targets.to(device), forward.scores.to(device), {}, against=others)
    for name, method in methods.items():
        found = method(forward)
        if isinstance(found, Relevance):
            overflow = first_overflow(found)
            if overflow:
                raise InputError(
                    f"{name} overflows at {overflow}: relevance is no longer finite there, because denominators come "
                    "near zero or weights outgrow them; use a larger epsilon, bias=include, or another rule"
                )
            explained.conservation[name] = Conservation.of(found, forward.scores)
            found = found.heatmaps
        check_heatmaps(found, forward.images, name, first)
        explained.heatmaps[name] = found.detach().to(forward.images)  # once, for all that reads it
    return explained
