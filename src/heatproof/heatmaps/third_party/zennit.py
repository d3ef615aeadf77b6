"""Composites of Zennit, by name: ``zennit:EpsilonPlusFlat[epsilon=0.01]``."""

from typing import Any

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps.methods import Method
from heatproof.heatmaps.third_party.options import OURS, checked_options, simple_options, split_spec
from heatproof.heatmaps.third_party.package import ONE_BY_ONE, Ask, Batches, Package, asked, working_copy
from heatproof.network import Network
from heatproof.registry import unknown

# composites whose rules are of each image by itself, with the memory that they take
IN_BATCHES = {
    **dict.fromkeys(("DeconvNet", "GuidedBackprop"), 1),
    **dict.fromkeys(("EpsilonPlus", "EpsilonPlusFlat", "ExcitationBackprop", "BetaSmooth"), 2),
    **dict.fromkeys(("EpsilonAlpha2Beta1", "EpsilonAlpha2Beta1Flat", "EpsilonGammaBox"), 3),
}
CANONIZERS = {"none": "", "vgg": "VGGCanonizer", "resnet": "ResNetCanonizer"}


def build(spec: str, network: Network) -> Method:
    """The relevance that a composite of Zennit brings to the pixels, summed over channels."""
    from zennit.composites import COMPOSITES

    composites = {kind.__name__: kind for kind in COMPOSITES.values()}
    name, layer, given = split_spec(spec)
    if layer:
        raise InputError(f"zennit:{name} explains pixels: leave out @{layer}")
    if name not in composites:
        raise InputError(unknown("composite of Zennit", name, sorted(composites)))
    known = simple_options(composites[name]) | {"canonizer": "none"} | OURS
    options = OURS | {"canonizer": "none"} | checked_options(f"zennit:{name}", given, known)
    seed, channels, canonizer = (options.pop(key) for key in ("seed", "channels", "canonizer"))
    if canonizer not in CANONIZERS:
        raise InputError(unknown("canonizer", canonizer, list(CANONIZERS)))
    ask = _ask(network, composites[name], options, CANONIZERS[canonizer])
    batches = Batches(IN_BATCHES[name]) if name in IN_BATCHES else ONE_BY_ONE
    return asked(f"zennit:{name}", network, ask, seed=seed, channels=channels, batches=batches, takes_differences=True)


def _ask(network: Network, composite: Any, options: dict[str, Any], canonizer: str) -> Ask:  # noqa: ANN401
    from zennit import torchvision
    from zennit.attribution import Gradient

    # merging batch norms writes into parameters, so that they must not be shared then
    module = working_copy(Network(network.module).module if canonizer else network.module)
    low, high = (bound.to(network.device, network.dtype) for bound in network.preprocessing.box())
    needs = {"low": low, "high": high} if composite.__name__.endswith("Box") else {}
    as_relevance = composite.__name__.startswith("Epsilon")

    def attributions(inputs: Tensor, classes: Tensor) -> Tensor:
        canonizers = [getattr(torchvision, canonizer)()] if canonizer else []
        made = composite(**needs, **options, canonizers=canonizers)

        def start(output: Tensor) -> Tensor:
            """Relevance begins with the score [Bach2015], any other signal with one."""
            each = torch.nn.functional.one_hot(classes.reshape(len(output), -1), output.shape[1]).to(output)
            chosen: Tensor = each[:, 0] - each[:, 1:].sum(dim=1)
            return chosen * output.detach() if as_relevance else chosen

        with Gradient(module, made, attr_output=start) as attributor:
            _, relevance = attributor(inputs)
        return relevance  # type: ignore[no-any-return]

    return attributions


ZENNIT = Package(
    distribution="zennit",
    module="zennit",
    extra="zennit",
    example="EpsilonPlusFlat",
    meaning="A composite of Zennit's, with its options, and canonizer=none, vgg or resnet.",
    build=build,
)
