"""A package whose methods can be named, and how they are asked, on a copy of the module: in batches, or one by one."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.heatmaps.methods import Method, check_one_logit
from heatproof.network import Network
from heatproof.network.copying import untouched_copy
from heatproof.network.draws import watched
from heatproof.network.forward import ForwardPass
from heatproof.randomness import addressed, identify
from heatproof.registry import unknown

# (inputs (n, C, H, W), asked (n,) or (n, 2)) -> attributions (n, c, h, w) or (n, h, w)
Ask = Callable[[Tensor, Tensor], Tensor]
CHANNELS = ("sum", "norm")


@dataclass(frozen=True)
class Package:
    """A package whose methods can be named, whether it is installed or not."""

    distribution: str  # its name for pip
    module: str  # its name in Python
    extra: str  # of heatproof, which installs it
    example: str  # name of one of its methods
    meaning: str  # what its methods are, in a sentence
    build: Callable[[str, Network], Method]  # the method of a name, for a network

    def make(self, spec: str, network: Network) -> Method:
        """The method of this name for a network.

        Raises:
            InputError: for an unknown name, layer or option, or if the package is not installed.
        """
        if not find_spec(self.module):
            raise InputError(f"{spec} needs {self.distribution}, which is not installed: {self._install}")
        return self.build(spec, network)

    def describe(self) -> str:
        """What its methods are, and whether it is there."""
        there = f"{metadata.version(self.distribution)} is installed" if find_spec(self.module) else self._install
        return f"{self.meaning} ({there})"

    @property
    def _install(self) -> str:
        return f'pip install "heatproof[{self.extra}]"'


@dataclass(frozen=True)
class Batches:
    """How many images a method is asked about at once.

    Args:
        each: the memory that it takes for an image, if a gradient takes one (measured, and rounded up).
        most: images at once, however much memory there is.
    """

    each: int = 1
    most: int | None = None

    def size(self, images: int) -> int:
        """How many at once, where memory allows the gradients of so many images.

        >>> Batches().size(8), Batches(each=2).size(8), ONE_BY_ONE.size(8)
        (8, 4, 1)
        """
        allowed = max(1, images // self.each)
        return allowed if self.most is None else min(allowed, self.most)


ONE_BY_ONE = Batches(most=1)


def asked(
    spec: str,
    network: Network,
    ask: Ask,
    *,
    seed: int,
    channels: str,
    batches: Batches = ONE_BY_ONE,
    takes_differences: bool = False,
) -> Method:
    """A method that asks for the attributions of images, and makes maps of them.

    ``ask`` is given the targets; one that takes differences also the classes that they are asked against, if there are
    any. A method that draws is asked about one image after the other, since a draw belongs to its image.
    """
    if channels not in CHANNELS:
        raise InputError(unknown(f"channels of {spec}:", channels, CHANNELS))

    def method(forward: ForwardPass) -> Tensor:
        if not takes_differences:
            check_one_logit(forward, spec)
        maps, names = [], identify(forward.images)
        for rows in torch.arange(len(names)).split(batches.size(len(names))):
            given = forward.inputs[rows].detach().clone(memory_format=torch.contiguous_format)
            first = names[int(rows[0])]
            number = int(addressed(seed=seed, image=first, purpose=f"method {spec}").integers(2**32))
            with _errors_of(spec, network), watched(given.device, number), torch.enable_grad():
                found = ask(given.requires_grad_(), forward.asked[rows])
            maps.append(_as_maps(found.detach(), given.shape, channels, spec))
        return torch.cat(maps).to(forward.images)

    return method


def working_copy(module: nn.Module) -> nn.Module:
    """A copy with the same parameters and hooks of its own, whose activations do not work in place."""
    made = untouched_copy(module, same_weights=True)
    for part in made.modules():
        if getattr(part, "inplace", False) is True:
            part.inplace = False  # type: ignore[assignment]
    return made


@contextmanager
def _errors_of(spec: str, network: Network) -> Iterator[None]:
    """Packages raise whatever they do not foresee; what they warn of is not ours to show."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:
        first = " ".join(str(error).split())[:300]
        in_place = "inplace" in first.replace("-", "")
        why = "; the module changes values in place outside of its layers (x += y, F.relu(x, inplace=True))" * in_place
        raise InputError(f"{spec} cannot explain {network.name}: {type(error).__name__}: {first}{why}") from error


def _as_maps(found: Tensor, shape: torch.Size, channels: str, spec: str) -> Tensor:
    """(n, H, W) of attributions for inputs of ``shape`` (n, C, H, W); those of a layer are enlarged, bilinearly."""
    layered = found if found.ndim == 4 else found[:, None]
    if layered.ndim != 4 or len(layered) != shape[0]:
        raise InputError(
            f"{spec} gives attributions of shape {tuple(found.shape)}, which are nowhere in the image; take a layer "
            "whose output is (C, h, w), or tokens (T, D) of a transformer"
        )
    flat = layered.sum(dim=1) if channels == "sum" else torch.linalg.vector_norm(layered, dim=1)
    if flat.shape[1:] == shape[2:]:
        return flat
    return nn.functional.interpolate(flat[:, None], shape[2:], mode="bilinear", align_corners=False)[:, 0]
