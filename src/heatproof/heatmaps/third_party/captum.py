"""Methods of Captum, by name: ``captum:IntegratedGradients[n_steps=20]``, ``captum:LayerGradCam@layer4``."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps.methods import Method
from heatproof.heatmaps.third_party.layers import Layer
from heatproof.heatmaps.third_party.options import OURS, checked_options, simple_options, split_spec
from heatproof.heatmaps.third_party.package import ONE_BY_ONE, Ask, Batches, Package, asked, working_copy
from heatproof.network import Network
from heatproof.registry import unknown

NOT_FOR_IMAGES = {
    "FeaturePermutation": "it permutes pixels between the images of a batch, and a map must depend on its image alone",
    "LayerFeaturePermutation": "it permutes values between the images of a batch, and a map must depend on its image",
    "ShapleyValues": "it evaluates all orders of all features; take ShapleyValueSampling",
    "DeepLiftShap": "it needs a distribution of other images; take DeepLift, or GradientShap",
    "LayerDeepLiftShap": "it needs a distribution of other images; take LayerDeepLift, or LayerGradientShap",
    "LimeBase": "its parts are functions; take Lime",
    "LayerFeatureAblation": "it takes a layer's values one by one; take FeatureAblation",
}
# Methods of each image alone, with the memory that they take. Not those that draw; those that subtract scores, whose
# rounding depends on the batch; DeepLift, which takes the first image's gradient at max poolings, and the mean of all
# images at a softmax.
IN_BATCHES = {
    **dict.fromkeys(("IntegratedGradients", "Saliency", "InputXGradient", "GuidedBackprop", "Deconvolution"), 1),
    **dict.fromkeys(("InternalInfluence", "LayerActivation", "LayerGradCam", "LayerGradientXActivation"), 1),
    **{"LayerIntegratedGradients": 1, "GuidedGradCam": 2, "LRP": 4, "LayerConductance": 8},
}
HIDDEN = ("inputs", "target", "show_progress", "return_convergence_delta", "return_input_shape", "verbose")
COLOURS = {"black": 0.0, "grey": 0.5, "white": 1.0}
PATCH = 16  # pixels; side of the features of methods that ask about one after the other
WINDOW = 9
AT_ONCE = 8  # inputs in one evaluation, of methods that make many of one

Make = Callable[[Tensor], Any]  # (inputs (n, C, H, W)) -> a method of Captum's
Adapt = Callable[[Any, Tensor, Network], Any]  # (value, inputs (n, C, H, W), network) -> what Captum takes


def build(spec: str, network: Network) -> Method:
    """The attributions of a method of Captum's for the target, as one number for each pixel."""
    name, behind, given = split_spec(spec)
    kind = _kind(name)
    inner = _inner(kind, behind) if name == "NoiseTunnel" else None
    makers = [kind.__init__, kind.attribute, *([inner.attribute] if inner else [])]
    special = _special(makers)
    known = simple_options(*makers, without=HIDDEN) | special | OURS
    options = OURS | special | checked_options(f"captum:{name}", given, known)
    seed, channels = options.pop("seed"), options.pop("channels")
    making = {key: options.pop(key) for key in simple_options(kind.__init__) if key in options}
    made = _maker(kind, name, behind, inner, network, making)
    needs_target = inner is not None or "target" in inspect.signature(kind.attribute).parameters
    ask = _ask(network, made, options, needs_target=needs_target)
    batches = _batches(name, given)
    return asked(f"captum:{name}", network, ask, seed=seed, channels=channels, batches=batches)


def _batches(name: str, given: dict[str, Any]) -> Batches:
    """How many images at once; a number of inputs at once that was given limits the steps of all of them together."""
    if name not in IN_BATCHES:
        return ONE_BY_ONE
    most = given.get("internal_batch_size")
    return Batches(IN_BATCHES[name], None if most is None else int(most))


def _kind(name: str) -> Any:  # noqa: ANN401 - a class of Captum's
    from captum import attr
    from captum.attr import Attribution

    kinds = {key: kind for key, kind in vars(attr).items() if inspect.isclass(kind) and issubclass(kind, Attribution)}
    others = ("Neuron", "LLM", "DataLoader")  # they do not explain the score of one image
    usable = [
        key for key, kind in kinds.items()
        if hasattr(kind, "attribute") and key not in NOT_FOR_IMAGES and not any(part in key for part in others)
    ]  # fmt: skip
    if name in NOT_FOR_IMAGES:
        raise InputError(f"captum:{name} makes no heatmap here: {NOT_FOR_IMAGES[name]}")
    if name not in usable:
        raise InputError(unknown("method of Captum", name, sorted(usable)))
    return kinds[name]


def _inner(tunnel: Any, behind: str) -> Any:  # noqa: ANN401 - classes of Captum's
    """The method that is asked about an image with noise."""
    inner = _kind(behind or "Saliency")
    if inner is tunnel or "layer" in inspect.signature(inner).parameters:
        raise InputError(f"captum:NoiseTunnel@{behind} must name a method of pixels: captum:NoiseTunnel@Saliency")
    return inner


def _maker(kind: Any, name: str, behind: str, inner: Any, network: Network, making: dict[str, Any]) -> Make:  # noqa: ANN401
    """Makes the method for inputs (n, C, H, W); refuses what stands behind its name at once."""
    module = working_copy(network.module)
    if inner is not None:
        return lambda inputs: kind(inner(module), **making)
    if "layer" in inspect.signature(kind).parameters:
        layer = Layer(network, module, behind, f"captum:{name}")
        return lambda inputs: kind(layer.model, layer.read_by(inputs), **making)
    if behind:
        raise InputError(f"captum:{name} explains pixels: leave out @{behind}, or take a method of a layer")
    return lambda inputs: kind(module, **making)


def _special(makers: list[Callable[..., Any]]) -> dict[str, Any]:
    """Options whose values are made for an image, with what is taken by default; none for Captum's own default."""
    defaults = {name: p.default for maker in makers for name, p in inspect.signature(maker).parameters.items()}
    black = "black" if defaults.get("baselines") is inspect.Parameter.empty else None
    ours = {"baselines": black, "feature_mask": PATCH, "sliding_window_shapes": WINDOW, "strides": WINDOW,
            "internal_batch_size": AT_ONCE, "nt_samples_batch_size": 1}  # fmt: skip
    return {name: default for name, default in ours.items() if name in defaults}


def _ask(network: Network, made_for: Make, options: dict[str, Any], *, needs_target: bool) -> Ask:
    def attributions(inputs: Tensor, asked: Tensor) -> Tensor:
        target = int(asked) if len(asked) == 1 else asked
        made = {name: ADAPTED[name](value, inputs, network) if name in ADAPTED else value
                for name, value in options.items() if value is not None}  # fmt: skip
        found = made_for(inputs).attribute(inputs, **({"target": target} if needs_target else {}), **made)
        if not isinstance(found, Tensor):
            raise InputError(f"expected one tensor of attributions, got {type(found).__name__}; take another layer")
        return found

    return attributions


def _baseline(value: Any, inputs: Tensor, network: Network) -> Tensor:  # noqa: ANN401 - a number or a name
    """A colour, as the network reads it, or a number in the network's own unit; (n, C, H, W)."""
    if isinstance(value, str):
        if value not in COLOURS:
            raise InputError(unknown("baseline", value, list(COLOURS)))
        return network.inputs(torch.full_like(inputs.detach(), COLOURS[value]))
    return torch.full_like(inputs.detach(), float(value))


def _patches(value: Any, inputs: Tensor, network: Network) -> Tensor:  # noqa: ANN401
    """(1, 1, H, W) numbers of squares, which are the features."""
    height, width = inputs.shape[2:]
    rows, columns = (torch.arange(size, device=inputs.device) // max(1, int(value)) for size in (height, width))
    return (rows[:, None] * (int(columns[-1]) + 1) + columns)[None, None]


def _window(value: Any, inputs: Tensor, network: Network) -> tuple[int, ...]:  # noqa: ANN401
    """All channels of a square."""
    return (inputs.shape[1], *(min(int(value), side) for side in inputs.shape[2:]))


ADAPTED: dict[str, Adapt] = {
    "baselines": _baseline,
    "feature_mask": _patches,
    "sliding_window_shapes": _window,
    "strides": _window,
}

CAPTUM = Package(
    distribution="captum",
    module="captum",
    extra="captum",
    example="IntegratedGradients",
    meaning="A method of Captum's, with options, such as LayerGradCam@layer4 or NoiseTunnel@Saliency[nt_samples=20]; "
    "summed over channels with its sign, or [channels=norm].",
    build=build,
)
