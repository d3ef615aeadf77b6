"""A classifier, ready to be asked: logits, predictions, and recorded forward passes for heatmaps."""

import hashlib
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.bounds import MEMORY
from heatproof.data.preprocessing import Preprocessing
from heatproof.defaults import DEFAULT_MEMORY
from heatproof.errors import InputError
from heatproof.network.against import Against, as_class, opponents, together
from heatproof.network.cascade import CascadeStep, cascade, layers_of
from heatproof.network.contract import evaluated, trial_images
from heatproof.network.copying import hidden_layers, shuffled_copy, untouched_copy, unwrapped
from heatproof.network.exact import exactly, multiplying
from heatproof.network.formats.huggingface import as_logits, class_names
from heatproof.network.formats.scripts import as_module
from heatproof.network.forward import ForwardPass, WholeModule, check_logits
from heatproof.network.graph import Graph
from heatproof.network.incremental.planner import CPU_BATCH, Planner, images_within, on_cpu
from heatproof.network.inputs import as_preprocessing, as_targets, check_classes, check_images, checked_device
from heatproof.network.tokens import CannotDropError, SelfAttention, Tokens
from heatproof.network.trial import NO_LOGITS, Trial, once, tried
from heatproof.showing import facts_html

BLIND_BATCH = 32  # images at once on a GPU, of a network of which no graph is known


class Network:
    """An image classifier with its preprocessing.

    Args:
        module: maps normalised images (B, C, H, W) to class scores (B, classes) before the softmax, or an object with
            such ``logits`` (transformers). A copy of it is kept, in evaluation; yours is left as it is. When the first
            images come, the copy is tried on one of them, and a softmax or sigmoid at its end is cut off.
        preprocessing: how a picture becomes the module's input: a ``Preprocessing`` or one of the presets
            ``"imagenet"``, ``"caffe"``, ``"none"`` (the default).
        name: for tables and figures.
        classes: names of the classes, if known.
        device: where to compute, such as ``"cuda"``; by default where the module is.
        notes: what a user should know of this network, such as untrained weights.

    >>> network = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    >>> network.predict(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2])
    """

    tf32 = False  # whether products may be rounded to ten bits, where only scores are evaluated

    def __init__(
        self,
        module: nn.Module,
        *,
        preprocessing: Preprocessing | str | None = None,
        name: str | None = None,
        classes: Sequence[str] | None = None,
        device: str | torch.device | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        if not isinstance(module, nn.Module):
            raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
        module = unwrapped(module)
        self.name = name or type(module).__name__
        self.classes = tuple(classes) if classes is not None else class_names(module)
        self.module = untouched_copy(as_module(as_logits(module))).eval().requires_grad_(False)
        for layer in hidden_layers(self.module).values():  # eval() does not reach them
            layer.eval().requires_grad_(False)
        if device is not None:
            self.module.to(checked_device(device))
        self.preprocessing = as_preprocessing(preprocessing)
        self.source = ""
        self.notes = tuple(notes)
        parameter = next(self.module.parameters(), torch.zeros(()))
        self.device, self.dtype = parameter.device, parameter.dtype
        self.gives_logits = True
        self.planner = Planner(torch.empty((), dtype=self.dtype, device=self.device))
        self._trials: dict[tuple[int, ...], Trial | InputError] = {}
        self._tokens: dict[tuple[int, ...], Tokens | InputError] = {}
        self._attention: dict[tuple[int, ...], SelfAttention | InputError] = {}
        self._randomised: dict[int, Network] = {}
        self.copies: dict[str, Network] = {}  # that evaluate in another precision: see ``precision.py``
        self._like: Network | None = None  # another with the same architecture

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes (C, H, W) of the images that it was tried on."""
        return tuple(self._trials)

    def trial(self, shape: tuple[int, ...], images: Tensor | None = None) -> Trial:
        """What came of trying the network, once, on an image of ``shape`` (C, H, W): one of ``images``, or noise."""
        if shape not in self._trials:
            self.preprocessing.normalise(torch.zeros(1, *shape))
            try:
                with torch.inference_mode(False), torch.no_grad(), multiplying(tf32=False):
                    inputs = self.inputs(trial_images(images, shape))
                    program = self._like.trial(shape).program if self._like else None
                    self.module, trial = tried(self.module, inputs, self.name, program)
                self._trials[shape] = trial
                if self.gives_logits and not trial.gives_logits:
                    self.gives_logits, self.notes = False, (*self.notes, f"{self.name} {NO_LOGITS}")
            except InputError as error:
                self._trials[shape] = error
        found = self._trials[shape]
        if isinstance(found, InputError):
            raise found
        return found

    def graph(self, shape: tuple[int, ...], *, unread: bool = True) -> Graph:
        """The network as a graph, for images of ``shape`` (C, H, W); ``unread=False`` leaves out what no score reads.

        Raises:
            InputError: with the reason, if it has none.
        """
        trial = self.trial(shape)
        graph = trial.graph if unread else trial.scoring
        if isinstance(graph, InputError):
            raise graph
        return graph

    def tokens(self, shape: tuple[int, ...]) -> Tokens:
        """The sequence of tokens of which patches can be left out, for images of ``shape`` (C, H, W).

        Raises:
            InputError: with the reason, if it has none, or if its scores are not those with masked keys.
        """

        def found() -> Tokens:
            tokens = Tokens.of(self.graph(shape, unread=False), self.planner.like)
            tokens.check(self.inputs(trial_images(None, shape)))
            return tokens

        why = f"replacement 'drop' leaves out the tokens of removed patches, and cannot on {self.name}: "
        return once(self._tokens, shape, found, lambda reason: CannotDropError(why + reason))

    def attention(self, shape: tuple[int, ...]) -> SelfAttention:
        """The network's self-attention over its whole token sequence, for images of ``shape`` (C, H, W).

        Raises:
            InputError: with the reason, if it has none.
        """
        return once(self._attention, shape, lambda: SelfAttention.of(self.graph(shape), self.planner.like), InputError)

    def without_graph(self, shape: tuple[int, ...]) -> str | None:
        """Why there is no graph for images of ``shape``, and what is lost; nothing where there is one."""
        graph, lost = self.trial(shape).graph, "deconvolution and LRP are not available"
        return None if isinstance(graph, Graph) else f"{self.name} has no graph ({graph}): {lost}"

    def check(self, images: Tensor) -> None:
        """Refuses images that are not (N, C, H, W) in [0, 1] with this network's channels, and what it cannot evaluate.

        Raises:
            InputError: also if the network is no function of one image, as dropout in evaluation makes it.
        """
        check_images(images)
        self.trial(tuple(images.shape[1:]), images)

    def logits(self, images: Tensor) -> Tensor:
        """(B, classes) scores before the softmax, of (B, C, H, W) images in [0, 1], in one batch on this device."""
        self.check(images)
        return self.evaluate(self.inputs(images))

    def evaluate(self, inputs: Tensor) -> Tensor:
        """(B, classes) scores before the softmax, of (B, C, H, W) what ``inputs`` gives for images."""
        graph = self.trial(tuple(inputs.shape[1:])).scoring
        differentiable = inputs.requires_grad and torch.is_grad_enabled()
        if differentiable or not isinstance(graph, Graph):
            # what a module keeps under inference mode, no later pass could differentiate
            with torch.set_grad_enabled(differentiable), multiplying(tf32=self.tf32):
                return evaluated(self.module, inputs, self.name)
        with torch.inference_mode(), multiplying(tf32=self.tf32):
            return check_logits(graph.evaluate(inputs.contiguous(memory_format=torch.channels_last)))

    def predict(self, images: Tensor, *, memory: int = DEFAULT_MEMORY) -> Tensor:
        """(N,) index of the class with the highest score, on the device of ``images``."""
        self.check(images)
        size = self.batch_size(tuple(images.shape[1:]), memory)
        return torch.cat([self.logits(batch).argmax(dim=1) for batch in images.split(size)]).to(images.device)

    def randomised(self, seed: int = 0, only: Collection[str] | None = None) -> "Network":
        """A network with the same weights in other places, made once for each seed; this one stays as it is.

        ``only`` names the parameters that are shuffled, if not all are; such a network is made anew each time.
        """
        other = self._randomised.get(seed) if only is None else None
        if other is None:
            other = Network(shuffled_copy(self.module, seed, only), name=f"{self.name}, weights shuffled")
            if only is None:
                self._randomised[seed] = other
        other.preprocessing, other._like = self.preprocessing, self
        return other

    def cascade(self, shape: tuple[int, ...], most: int) -> list[CascadeStep]:
        """At most so many steps in which the weights of all layers are shuffled, from the output to the input."""
        graph = self.trial(shape).graph
        read = [name for node in graph for name in node.constants] if isinstance(graph, Graph) else []
        return cascade(layers_of(self.module, read), most)

    def class_against(self, against: Against, shape: tuple[int, ...]) -> Against:
        """The class that ``against`` means, for images of ``shape`` (C, H, W): its number, or "second".

        Raises:
            InputError: for no class of this network.
        """
        return as_class(against, self.classes, self.trial(shape).classes)

    def classes_asked(
        self, images: Tensor, targets: Tensor | None, against: Against | None, *, memory: int = DEFAULT_MEMORY
    ) -> Tensor:
        """(N,) targets, by default the predicted classes; (N, 2) with the classes that they are asked against."""
        self.check(images)
        if targets is None:
            targets = self.predict(images, memory=memory)
        if against is None:
            return targets
        shape = tuple(images.shape[1:])
        against, size = self.class_against(against, shape), self.batch_size(shape, memory)
        others = []
        for batch, classes in zip(images.split(size), targets.split(size), strict=True):
            logits = self.logits(batch)
            check_classes(classes, logits.shape[1])
            others.append(opponents(against, logits, classes.to(logits.device)))
        return together(targets, torch.cat(others))

    @exactly
    def forward_pass(
        self, images: Tensor, targets: Tensor | None = None, *, against: Against | Tensor | None = None
    ) -> ForwardPass:
        """A recorded forward pass of (B, C, H, W) images, for the predicted classes or ``targets`` (B,).

        ``against`` is a class that they are asked against, by name or number, or "second", or one for each (B,).
        """
        self.check(images)
        inputs, shape = self.inputs(images), tuple(images.shape[1:])
        low, high = (bound.to(inputs).expand(1, inputs.shape[1], 1, 1) for bound in self.preprocessing.box())
        if targets is not None:
            targets = as_targets(targets, len(images)).to(self.device)
        reason = self.without_graph(shape)
        if reason is None:
            graph, inputs = self.graph(shape), inputs.contiguous(memory_format=torch.channels_last)
        else:
            graph = WholeModule.graph(self.module, reason, shape, self.trial(shape).classes)
        if against is not None and not isinstance(against, Tensor):
            against = self.class_against(against, shape)
        forward = ForwardPass(
            graph, images, inputs, targets, (low, high), against=against, attention=partial(self.attention, shape)
        )
        check_classes(forward.targets, check_logits(forward.logits).shape[1])
        return forward

    def batch_size(self, shape: tuple[int, ...], memory: int, *, recorded: bool = False) -> int:
        """How many images of ``shape`` (C, H, W) go through at once within ``memory`` bytes (at least one)."""
        MEMORY.check("memory, in bytes,", memory)
        if self.without_graph(shape):
            return CPU_BATCH if on_cpu(self.planner.like) else BLIND_BATCH  # nothing is known of the activations
        if not recorded:
            return self.planner.batch_size(self.graph(shape, unread=False), memory)
        graph = self.graph(shape)
        # a way back holds signals beside the records: twice the activations at the most
        return images_within(memory, 3 * graph.kept_values, graph.whole.largest_value, self.planner.like)

    def fingerprint(self) -> str:
        """A hash of all weights, for provenance."""
        hashed = hashlib.blake2b(digest_size=16)
        for name, value in self.module.state_dict().items():
            hashed.update(name.encode())
            hashed.update(value.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return hashed.hexdigest()

    def describe(self) -> dict[str, Any]:
        """What a run records of its network."""
        return {
            "name": self.name,
            "source": self.source,
            "weights_blake2b": self.fingerprint(),
            "preprocessing": self.preprocessing.describe(),
            "notes": list(self.notes),
        }

    def class_name(self, target: int) -> str:
        """Name of a class, or its number."""
        return self.classes[target] if self.classes and target < len(self.classes) else f"class {target}"

    def inputs(self, images: Tensor) -> Tensor:
        """(B, C, H, W) what the module gets for images in [0, 1]: normalised, on this device."""
        return self.preprocessing.normalise(images.to(device=self.device, dtype=self.dtype))

    def _repr_html_(self) -> str:
        """A small table, for notebooks."""
        described = self.preprocessing.describe()
        facts = {
            "classes": f"{len(self.classes)} with names" if self.classes else "without names",
            "parameters": f"{sum(parameter.numel() for parameter in self.module.parameters()):,}",
            "computes": f"{self.dtype} on {self.device}".replace("torch.", ""),
            "preprocessing": ", ".join(f"{name} {value}" for name, value in described.items() if value is not None),
        }
        return facts_html(f"Network {self.name}", facts | ({"notes": "; ".join(self.notes)} if self.notes else {}))
