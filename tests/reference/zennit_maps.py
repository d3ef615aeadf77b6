"""Zennit's maps of a network, by the names of heatproof's methods."""

import zennit.composites as composites
import zennit.rules as zennit_rules
from torch import nn
from zennit.attribution import Gradient
from zennit.types import Linear as WeightedLayer

from heatproof.heatmaps import explain_batches


def zennit_composite(method, bias, low, high, canonizers):
    without = None if bias == "include" else ["bias"]

    def everywhere(rule):
        layers = [*composites.layer_map_base(), (WeightedLayer, rule)]
        return composites.LayerMapComposite(layers, canonizers=canonizers)

    named = {"zero_params": without, "canonizers": canonizers}
    makers = {
        "lrp-epsilon": lambda: everywhere(zennit_rules.Epsilon(0.01, zero_params=without)),
        "lrp-epsilon[epsilon=100]": lambda: everywhere(zennit_rules.Epsilon(100, zero_params=without)),
        "lrp-alphabeta": lambda: everywhere(zennit_rules.AlphaBeta(2, 1, zero_params=without)),
        "lrp-alphabeta[alpha=1,beta=0]": lambda: everywhere(zennit_rules.AlphaBeta(1, 0, zero_params=without)),
        "lrp-epsilon-plus-flat": lambda: composites.EpsilonPlusFlat(**named),
        "lrp-epsilon-alpha2-beta1-flat": lambda: composites.EpsilonAlpha2Beta1Flat(**named),
        "lrp-epsilon-gamma-box": lambda: composites.EpsilonGammaBox(low, high, **named),
    }
    return makers[method]()


METHODS = [
    "lrp-epsilon",
    "lrp-epsilon[epsilon=100]",
    "lrp-alphabeta",
    "lrp-alphabeta[alpha=1,beta=0]",
    "lrp-epsilon-plus-flat",
    "lrp-epsilon-alpha2-beta1-flat",
    "lrp-epsilon-gamma-box",
]


def with_bias(method, bias):
    return f"{method}[bias={bias}]" if "[" not in method else f"{method[:-1]},bias={bias}]"


def zennit_heatmaps(module, inputs, targets, composite):
    inputs = inputs.clone().requires_grad_()
    classes = module(inputs).shape[1]
    with Gradient(model=module, composite=composite) as attributor:
        scores = module(inputs).detach()
        start = nn.functional.one_hot(targets, classes).to(scores) * scores
        _, relevance = attributor(inputs, start)
    return relevance.sum(dim=1).detach()


def worst_difference(module, network, images, methods=METHODS, canonizers=(), pad=lambda bound: bound):
    """Largest difference from Zennit over the largest value, by method and bias; ``pad`` is for the box of pixels."""
    inputs = network.preprocessing.normalise(images)
    low, high = (pad(bound.to(images).expand_as(images[:1])) for bound in network.preprocessing.box())
    targets = network.predict(images)
    worst = {}
    for bias in ("include", "exclude"):
        names = {method: with_bias(method, bias) for method in methods}
        (ours,) = explain_batches(network, images, names, targets=targets)
        for method in methods:
            composite = zennit_composite(method, bias, low, high, list(canonizers))
            expected = zennit_heatmaps(module, inputs, targets, composite)
            assert float(expected.abs().max()) > 0
            worst[method, bias] = float((ours.heatmaps[method] - expected).abs().max() / expected.abs().max())
    return worst
