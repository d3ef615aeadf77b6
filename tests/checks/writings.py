"""What Captum, Zennit and heatproof do where users of heatmaps were given wrong ones.

``python tests/checks/writings.py`` prints the table of docs/checks.md; a test compares it with the page. In each case a
function is written in a way that has gone wrong somewhere, and plainly. A tool is right if it explains both alike.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

import heatproof as hp
from heatproof.errors import InputError

TARGET = 3
RIGHT, REFUSED, NOT_ASKED = "right", "refused", "–"
TOLERANCE = 1e-3  # of the largest value: the tools' stabilisers differ
Pair = tuple[nn.Module, nn.Module]

# --- the tools: a module and inputs (N, C, H, W) → maps (N, H, W)


def captum_maps(method, module, inputs):
    from captum import attr

    return getattr(attr, method)(module).attribute(inputs.requires_grad_(), target=TARGET).sum(dim=1)


def zennit_epsilon(module, inputs):
    from zennit import canonizers, composites, rules, types

    layers = [*composites.layer_map_base(), (types.Linear, rules.Epsilon(1e-6))]
    merged = [canonizers.SequentialMergeBatchNorm()]
    return zennit_maps(composites.LayerMapComposite(layers, canonizers=merged), module, inputs)


def zennit_box(module, inputs):
    from zennit.composites import EpsilonGammaBox

    low, high = torch.zeros_like(inputs[:1]), torch.ones_like(inputs[:1])
    return zennit_maps(EpsilonGammaBox(low, high), module, inputs)


def zennit_maps(composite, module, inputs):
    from zennit.attribution import Gradient

    scores = module(inputs).detach()
    start = torch.zeros_like(scores)
    start[:, TARGET] = scores[:, TARGET]
    with Gradient(model=module, composite=composite) as attributor:
        return attributor(inputs.requires_grad_(), start)[1].sum(dim=1)


def own_maps(method, module, inputs):
    return hp.explain(hp.Network(module), inputs, method, targets=TARGET)


ASKED = {
    ("captum", "`InputXGradient`"): partial(captum_maps, "InputXGradient"),
    ("captum", "`LRP`"): partial(captum_maps, "LRP"),
    ("zennit", "`Epsilon`"): zennit_epsilon,
    ("heatproof", "`gradient-x-input`"): partial(own_maps, "gradient-x-input"),
    ("heatproof", "`lrp-epsilon`"): partial(own_maps, "lrp-epsilon[epsilon=1e-6]"),
}
LRP = {column: maps for column, maps in ASKED.items() if "nput" not in column[1]}
ASKED_FOR_A_BOX = {
    ("zennit", "`Epsilon`"): zennit_box,
    ("heatproof", "`lrp-epsilon`"): partial(own_maps, "lrp-epsilon-gamma-box"),
}


@dataclass(frozen=True)
class Case:
    """One function, as someone wrote it and plainly: ``pair()`` makes both modules.

    Attributes:
        number: of the case in the table.
        text: what is special.
        pair: makes both modules.
        inputs: what they get.
        asked: who is asked.
        tolerance: of the largest value.
        before: what was done with the network before.
    """

    number: int
    text: str
    pair: Callable[[], Pair]
    inputs: Callable[[], Tensor] = lambda: images()
    asked: Mapping[tuple[str, str], Callable[[nn.Module, Tensor], Tensor]] = field(default_factory=lambda: ASKED)
    tolerance: float = TOLERANCE
    before: Callable[[nn.Module], object] = lambda module: None

    def outcomes(self) -> dict[tuple[str, str], str]:
        """By tool and method: right, off by how much of the map's largest value, or the error."""
        return {column: self.outcome(self.asked[column]) if column in self.asked else NOT_ASKED for column in ASKED}

    def outcome(self, maps: Callable[[nn.Module, Tensor], Tensor]) -> str:
        """What one tool does."""
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            try:
                tried, plain = (module.eval() for module in self.pair())
                self.before(tried)
                found, expected = (maps(module, self.inputs()).detach().double() for module in (tried, plain))
            except InputError:
                return REFUSED
            except Exception as error:  # whatever a tool raises is what is asked
                return f"`{type(error).__name__}`"
        off = float((found / found.abs().max() - expected / expected.abs().max()).abs().max())
        return RIGHT if off < self.tolerance else f"**off by {off:.1g}**"


# --- small networks, whose first and last layers are the same each time


def images(channels=3, size=12):
    return torch.rand(2, channels, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    """A convolution, a ReLU, what is in the middle (modules and functions), mean pooling, and a dense layer."""

    def __init__(self, *middle, channels=3, activation=None):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head = nn.Conv2d(channels, 4, 3), nn.Linear(4, 5)
        self.activation = activation or nn.ReLU()
        self.middle = list(middle)
        for number, module in enumerate(middle):
            if isinstance(module, nn.Module):
                self.add_module(f"middle{number}", module)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.double()

    def forward(self, x):
        return self.last(self.first(x))

    def last(self, x):
        x = self.activation(x)
        for module in self.middle:
            x = module(x)
        return self.head(torch.flatten(self.pool(x), 1))


class Written(nn.Module):
    """A function of its input and of some layers."""

    def __init__(self, function, *layers):
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)
        self.double()

    def forward(self, x):
        return self.function(x, *self.layers)


def around(function):
    """The network inside a function (of an image and the network), and the network itself."""
    return lambda: (Written(function, Net()), Net())


def ended(*last):
    return lambda: (nn.Sequential(Net(), *last), Net())


def below_zero():
    tried, plain = Net(), Net()
    for module in (tried, plain):
        module.head.bias.data -= 3
    return nn.Sequential(tried, nn.Sigmoid()), plain


def twice(make):
    return lambda: (make(), make())


def pointwise():
    layer, convolution = nn.Linear(4, 4), nn.Conv2d(4, 4, 1)
    convolution.weight.data, convolution.bias.data = layer.weight.data[:, :, None, None], layer.bias.data
    return Net(Written(on_last_channels, layer), nn.ReLU()), Net(convolution, nn.ReLU())


def on_last_channels(x, layer):
    return layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def normed():
    norm = nn.BatchNorm2d(4)
    norm.weight.data, norm.bias.data = torch.tensor([0.5, 1.0, 1.5, 2.0]), torch.tensor([-0.5, 0.1, 0.2, 0.5])
    return Net(norm, nn.ReLU())


def in_inference_mode(module):
    with torch.inference_mode():
        module(images())


def with_weight_norm():
    tried = Net()
    tried.first = weight_norm(tried.first)
    return tried, Net()


def inverted():
    folded = Net()
    folded.first.bias.data += folded.first.weight.data.sum(dim=(1, 2, 3))
    folded.first.weight.data *= -1
    return Written(lambda x, module: module(1 - x), Net()), folded


def views():
    stacked = Written(lambda x, module: torch.stack(module(torch.cat([x, x.flip(3)])).chunk(2)).mean(0), Net())
    return stacked, Written(lambda x, module: (module(x) + module(x.flip(3))) / 2, Net())


def without_gradient(x, module):
    with torch.no_grad():
        x = module.first(x)
    return module.last(x)


def in_autocast(x, module):
    with torch.autocast("cpu", enabled=False):
        return module(x)


def quantised():
    return torch.ao.quantization.quantize_dynamic(Net().float(), {nn.Linear}), Net().float()


def hooked():
    tried, kept = Net(), {}
    tried.first.register_forward_hook(lambda module, inputs, output: kept.update(output=output))
    return tried, Net()


def fixed_head():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 5)).double()


def layer_norm():
    """Achtibat et al. (2024): the ε rule through centring and gain, and 1/σ passes relevance on."""
    norm, centre, gain = nn.LayerNorm(4), nn.Conv2d(4, 4, 1, bias=False), nn.Conv2d(4, 4, 1, groups=4)
    norm.weight.data, norm.bias.data = torch.tensor([0.5, 1.0, 1.5, 2.0]), torch.tensor([-0.5, 0.1, 0.2, 0.5])
    centre.weight.data = (torch.eye(4) - 0.25)[:, :, None, None]
    gain.weight.data, gain.bias.data = norm.weight.data.reshape(4, 1, 1, 1), norm.bias.data

    def by_hand(x, centre, gain):
        sigma = (x.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
        return gain(centre(x) / sigma.detach())

    activation = nn.Identity()
    tried = Net(Written(on_last_channels, norm), activation=activation)
    return tried, Net(Written(by_hand, centre, gain), activation=activation)


def float32_images():
    return images().float()


CASES = [
    Case(1, "a sigmoid at the end, logit below 0", below_zero),
    Case(2, "a softmax at the end; the logit is asked about", ended(nn.Softmax(1))),
    Case(3, "`Linear` on channels that come last, and a 1×1 convolution", pointwise),
    Case(4, "its scores were asked for in inference mode", twice(normed), before=in_inference_mode),
    Case(5, "a constant as large as the batch", around(lambda x, net: net(x + x.new_zeros(x.shape[0], 1, 1, 1)))),
    Case(6, "weight norm", with_weight_norm),
    Case(6, "TorchScript", lambda: (torch.jit.trace(Net(), images()), Net())),
    Case(7, "dropout that stays on", lambda: (Net(F.dropout), Net())),
    Case(8, "eleven channels", twice(partial(Net, channels=11)), partial(images, 11)),
    Case(9, "`1 - x`, and the same in the first layer, by the box rule", inverted, asked=ASKED_FOR_A_BOX),
    Case(12, "bfloat16", lambda: (Net().bfloat16(), Net().bfloat16()), lambda: images().bfloat16()),
    Case(13, "`no_grad` in forward", around(without_gradient)),
    Case(13, "autocast in forward", around(in_autocast)),
    Case(13, "a quantised dense layer", quantised, float32_images, tolerance=0.1),
    Case(14, "two views stacked along the batch", views),
    Case(15, "`DataParallel`", lambda: (nn.DataParallel(Net()), Net())),
    Case(15, "`torch.compile`", lambda: (torch.compile(Net(), backend="eager"), Net())),
    Case(16, "a forward hook of the user's", hooked),
    Case(17, "images of a size that the head does not take", twice(fixed_head), partial(images, size=14)),
    Case(24, "layer norm, by the rule of Achtibat et al., 2024", layer_norm, asked=LRP, tolerance=0.01),
    Case(25, "a pixel of 1.0000001", twice(Net), lambda: images().index_fill(3, torch.tensor([0]), 1.0000001)),
]

# --- case 19: operations


def relu(function):
    return lambda: (Net(activation=function), Net())


def inside(*tried, plain=()):
    return lambda: (Net(*tried), Net(*plain))


def same_weights(tried, plain):
    """Layers with the same weights in the middle."""

    def pair():
        torch.manual_seed(1)
        first, second = tried(), plain()
        second.load_state_dict(first.state_dict(), strict=False)
        return Net(first, nn.ReLU()), Net(second, nn.ReLU())

    return pair


class PaddedByHand(nn.Conv2d):
    def forward(self, x):
        return super().forward(F.pad(x, (0, 1, 0, 1)))


def in_place(x):
    x = x.clone()
    x[:, :2].relu_()
    x[:, 2:].relu_()
    return x


def matrix_head():
    tried = Net()
    tried.head = Written(lambda x, head: x @ head.weight.t() + head.bias, tried.head)
    return tried, Net()


def mean_by_hand():
    tried = Net()
    del tried.pool
    tried.pool = lambda x: x.mean((2, 3), keepdim=True)
    return tried, Net()


def reversed_channels():
    tried = Net()
    tried.first.weight.data = tried.first.weight.data.flip(1)
    return Written(lambda x, module: module(x[:, [2, 1, 0]]), tried), Net()


def upsampled():
    spread = nn.ConvTranspose2d(4, 4, 2, stride=2, groups=4, bias=False)
    nn.init.ones_(spread.weight)
    return Net(nn.Upsample(scale_factor=2)), Net(spread)


def summed():
    plain = Net()
    plain.head.weight.data *= 3
    return Net(lambda x: torch.stack([x, x, x]).sum(0)), plain


def instance_norm(x):
    centred = x - x.mean((2, 3), keepdim=True)
    return centred / (centred.square().mean((2, 3), keepdim=True) + 1e-5).sqrt()


def gated(x, layer):
    value, gate = layer(x).chunk(2, 1)
    return value * gate.sigmoid()


OPERATIONS = {
    "clamp": relu(lambda x: x.clamp(min=0)),
    "where": relu(lambda x: torch.where(x > 0, x, torch.zeros_like(x))),
    "threshold": relu(lambda x: F.threshold(x, 0.0, 0.0)),
    "abs": relu(lambda x: (x + x.abs()) / 2),
    "in place on a view": relu(in_place),
    "PReLU": lambda: (Net(activation=nn.PReLU(init=0.0)), Net()),
    "flip": inside(lambda x: x.flip(3)),
    "x[:, [2, 1, 0]]": reversed_channels,
    "neg": inside(lambda x: (-x).neg()),
    "1 - x": inside(lambda x: 1 - (1 - x)),
    "pow": inside(lambda x: x.pow(2), plain=[lambda x: x * x]),
    "repeat": inside(lambda x: x.repeat(1, 2, 1, 1)[:, 2:6], plain=[lambda x: x[:, [2, 3, 0, 1]]]),
    "stack and sum": summed,
    "amax": inside(lambda x: x.amax((2, 3), keepdim=True), plain=[nn.AdaptiveMaxPool2d(1)]),
    "even padding=same": same_weights(partial(nn.Conv2d, 4, 4, 2, padding="same"), partial(PaddedByHand, 4, 4, 2)),
    "x @ W": matrix_head,
    "mean": mean_by_hand,
    "upsampling": upsampled,
    "GLU": same_weights(
        lambda: Written(gated, nn.Conv2d(4, 8, 1)), lambda: Written(lambda x, f: F.glu(f(x), 1), nn.Conv2d(4, 8, 1))
    ),
    "swish": inside(lambda x: x * x.sigmoid(), plain=[nn.SiLU()]),
    "instance norm": inside(nn.InstanceNorm2d(4), nn.ReLU(), plain=[instance_norm, nn.ReLU()]),
}


def operations() -> dict[tuple[str, str], str]:
    """How many operations each tool gets right, and what it does with the others."""
    found: dict[tuple[str, str], Counter[str]] = {column: Counter() for column in ASKED}
    for name, pair in OPERATIONS.items():
        for column, outcome in Case(19, name, pair).outcomes().items():
            found[column][outcome.split(" by ")[0].strip("*")] += 1
    return {column: ", ".join(f"{n} {what}" for what, n in counts.most_common()) for column, counts in found.items()}


def table() -> str:
    """The table of the page."""
    rows = [["", "case", *(f"{tool} {version(tool)}: {label}" for tool, label in ASKED)]]
    rows.append(["---"] * len(rows[0]))
    rows += [[str(case.number), case.text, *case.outcomes().values()] for case in CASES]
    rows.append(["19", f"{len(OPERATIONS)} operations, each in two writings", *operations().values()])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(table())
