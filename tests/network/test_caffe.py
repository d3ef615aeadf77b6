"""Networks of Caffe against the same ones built by hand in torch, through every method and engine."""

import numpy as np
import pytest
import torch
from caffe_files import blob, caffemodel, caffenet, conv, dense, head, layer, norm, old_form, pool, relu
from caffe_layers import norm_within
from caffe_layers import pool as slow_pool
from torch import nn

import heatproof as hp
from heatproof.heatmaps import METHODS
from heatproof.heatmaps.methods import of_attention
from heatproof.network.caffe import read_mean, read_network

REAL = {
    "conv1": (96, 3, 11, 11), "conv2": (256, 48, 5, 5), "conv3": (384, 256, 3, 3), "conv4": (384, 192, 3, 3),
    "conv5": (256, 192, 3, 3), "fc6": (4096, 9216), "fc7": (4096, 4096), "fc8": (1000, 4096),
}  # fmt: skip
SMALL = {
    "conv1": (8, 3, 11, 11), "conv2": (8, 4, 5, 5), "conv3": (12, 8, 3, 3), "conv4": (12, 6, 3, 3),
    "conv5": (8, 6, 3, 3), "fc6": (16, 72), "fc7": (16, 16), "fc8": (10, 16),
}  # fmt: skip


def random_arrays(shapes, seed=0):
    """Weights and biases by layer; values stay about as large as they came."""
    generator = np.random.default_rng(seed)

    def draw(shape, scale):
        return generator.standard_normal(shape, dtype=np.float32) * np.float32(scale)

    return {name: [draw(s, (2 / np.prod(s[1:])) ** 0.5), draw(s[:1], 0.1)] for name, s in shapes.items()}


def caffenet_by_hand(arrays):
    """CaffeNet written in torch."""
    sizes = {name: weight.shape for name, (weight, _) in arrays.items()}

    def convolution(name, stride=1, padding=0, groups=1):
        out, into, kernel, _ = sizes[name]
        return nn.Sequential(nn.Conv2d(into * groups, out, kernel, stride, padding, groups=groups), nn.ReLU())

    def strongest():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    module = nn.Sequential(
        convolution("conv1", 4), strongest(), nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0),
        convolution("conv2", 1, 2, 2), strongest(), nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0),
        convolution("conv3", 1, 1), convolution("conv4", 1, 1, 2), convolution("conv5", 1, 1, 2), strongest(),
        nn.Flatten(), nn.Linear(*sizes["fc6"][::-1]), nn.ReLU(), nn.Linear(*sizes["fc7"][::-1]), nn.ReLU(),
        nn.Linear(*sizes["fc8"][::-1]),
    )  # fmt: skip
    weighted = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    for part, (weight, bias) in zip(weighted, arrays.values(), strict=True):
        part.weight.data, part.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
    return module.eval()


def written(folder, prototxt, arrays, *, old=False, **options):
    """Both files; their paths."""
    paths = folder / "deploy.prototxt", folder / "net.caffemodel"
    paths[0].write_text(old_form(prototxt) if old else prototxt)
    paths[1].write_bytes(caffemodel(arrays, old=old, **options))
    return paths


def read(folder, prototxt, arrays, **options):
    """The module in evaluation."""
    return read_network(*written(folder, prototxt, arrays, **options)).eval()


def images(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 50


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """CaffeNet with narrow layers, for images of 99 × 99 pixels."""
    folder = tmp_path_factory.mktemp("small")
    prototxt = caffenet(99, (8, 8, 12, 12, 8), 16, 10).replace("alpha: 0.0001", "alpha: 0.01")
    arrays = random_arrays(SMALL | {"fc6": (16, 32)})
    return hp.load_network(f"caffe:{written(folder, prototxt, arrays)[0]}", weights=folder / "net.caffemodel")


# --- CaffeNet


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
def test_caffenet_of_real_size_is_the_network_built_by_hand(old, tmp_path):
    arrays = random_arrays(REAL)
    found = read(tmp_path, caffenet(), arrays, old=old)
    assert (found.title, found.input_shape, found.classes) == ("net", (3, 227, 227), 1000)
    pictures = images(2, 3, 227, 227)
    with torch.no_grad():
        torch.testing.assert_close(found(pictures), caffenet_by_hand(arrays)(pictures), rtol=1e-6, atol=1e-6)


def test_caffenet_of_real_size_through_every_method_and_engine(tmp_path):
    prototxt, caffemodel_file = written(tmp_path, caffenet(), random_arrays(REAL))
    network = hp.load_network(f"caffe:{prototxt}", weights=caffemodel_file)
    pictures = torch.rand(1, 3, 227, 227, generator=torch.Generator().manual_seed(0))
    for method in (name for name in METHODS if not of_attention(name)):
        found = hp.explain(network, pictures, method)
        assert found.shape == (1, 227, 227)
        assert bool(found.isfinite().all())
        assert method == "constant" or float(found.abs().max()) > 0
    same_scores(network, pictures, torch.rand(1, 227, 227), regions=9, steps=4)


def same_scores(network, pictures, heatmaps, **options):
    full, incremental = (
        hp.perturb(network, pictures, heatmaps, repeats=1, seed=0, engine=engine, **options).scores
        for engine in ("full", "incremental")
    )
    scale = float(np.ptp(network.logits(pictures).numpy()))
    np.testing.assert_allclose(np.asarray(incremental), np.asarray(full), rtol=0, atol=1e-5 * scale)


def test_small_caffenet_follows_many_steps(small):
    pictures = torch.rand(2, 3, 99, 99, generator=torch.Generator().manual_seed(0))
    same_scores(small, pictures, torch.rand(2, 99, 99), regions=9, steps=60)


def test_small_caffenet_conserves_relevance_but_for_biases(small):
    """LRP-ε without biases in the denominators: layer after layer, what leaves is what arrived."""
    from heatproof.heatmaps.lrp import lrp_epsilon

    pictures = torch.rand(2, 3, 99, 99, generator=torch.Generator().manual_seed(0))
    forward = small.forward_pass(pictures)
    flow = lrp_epsilon(forward, epsilon=1e-6, bias="exclude").flow
    norms = [step for step in flow if "norm" in step.place]
    assert len(norms) == 2
    for step in norms:
        torch.testing.assert_close(step.left, step.arrived, rtol=1e-4, atol=1e-4)


def test_places_of_layers_are_their_names(small):
    places = [node.place for node in small.graph((3, 99, 99))]
    assert places[:4] == ["conv1 (conv2d)", "relu1 (relu)", "pool1 (max_pool2d)", "norm1 (local_response_norm)"]
    assert "prob" not in "".join(places)


# --- other families


def same_as(found, by_hand, *shape):
    pictures = images(2, *shape)
    with torch.no_grad():
        torch.testing.assert_close(found(pictures), by_hand(pictures), rtol=1e-5, atol=1e-4)


def filled(module, arrays):
    weighted = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    for part, (weight, bias) in zip(weighted, arrays, strict=True):
        assert part.weight.shape == weight.shape
        part.weight.data, part.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
    return module.eval()


def test_vgg(tmp_path):
    text = "".join([
        head(32, 32), conv("conv1_1", "data", 4, 3, "pad: 1"), relu("r1", "conv1_1"),
        conv("conv1_2", "conv1_1", 4, 3, "pad: 1"), relu("r2", "conv1_2"),
        pool("pool1", "conv1_2", "pool: MAX kernel_size: 2 stride: 2"),
        dense("fc6", "pool1", 7), relu("r6", "fc6"), layer("d6", "Dropout", "fc6", "fc6", "dropout_param { }"),
        dense("fc8", "fc6", 5), layer("prob", "Softmax", "fc8"),
    ])  # fmt: skip
    arrays = random_arrays({"conv1_1": (4, 3, 3, 3), "conv1_2": (4, 4, 3, 3), "fc6": (7, 1024), "fc8": (5, 7)})
    by_hand = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1024, 7), nn.ReLU(), nn.Linear(7, 5),
    )  # fmt: skip
    same_as(read(tmp_path, text, arrays, old=True), filled(by_hand, arrays.values()), 3, 32, 32)


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 4, 7, 2, 3)
        self.a, self.b1, self.b2, self.c = (
            nn.Conv2d(4, 3, 1), nn.Conv2d(4, 2, 1), nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(4, 2, 1)
        )  # fmt: skip
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.one(x))
        x = nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)
        x = nn.functional.local_response_norm(x, 5, 1e-4, 0.75)
        a, b = torch.relu(self.a(x)), torch.relu(self.b2(torch.relu(self.b1(x))))
        c = torch.relu(self.c(nn.functional.max_pool2d(x, 3, 1, padding=1)))
        return self.head(torch.cat([a, b, c], dim=1).mean((2, 3)))


def test_googlenet(tmp_path):
    text = "".join([
        head(33, 33), conv("conv1/7x7_s2", "data", 4, 7, "pad: 3 stride: 2"), relu("conv1/relu", "conv1/7x7_s2"),
        pool("pool1", "conv1/7x7_s2", "pool: MAX kernel_size: 3 stride: 2"), norm("pool1/norm1", "pool1"),
        conv("3a/1x1", "pool1/norm1", 3, 1), relu("3a/relu_1x1", "3a/1x1"),
        conv("3a/3x3_reduce", "pool1/norm1", 2, 1), relu("3a/relu_reduce", "3a/3x3_reduce"),
        conv("3a/3x3", "3a/3x3_reduce", 3, 3, "pad: 1"), relu("3a/relu_3x3", "3a/3x3"),
        pool("3a/pool", "pool1/norm1", "pool: MAX kernel_size: 3 stride: 1 pad: 1"),
        conv("3a/pool_proj", "3a/pool", 2, 1), relu("3a/relu_pool_proj", "3a/pool_proj"),
        layer("3a/output", "Concat", "3a/1x1 3a/3x3 3a/pool_proj"),
        pool("pool5", "3a/output", "pool: AVE kernel_size: 8 stride: 1"),
        dense("loss3/classifier", "pool5", 5), layer("prob", "Softmax", "loss3/classifier"),
    ])  # fmt: skip
    shapes = {
        "conv1/7x7_s2": (4, 3, 7, 7), "3a/1x1": (3, 4, 1, 1), "3a/3x3_reduce": (2, 4, 1, 1), "3a/3x3": (3, 2, 3, 3),
        "3a/pool_proj": (2, 4, 1, 1), "loss3/classifier": (5, 8),
    }  # fmt: skip
    arrays = random_arrays(shapes)
    found = read(tmp_path, text, arrays)
    same_as(found, filled(Inception(), arrays.values()), 3, 33, 33)
    same_scores(hp.Network(found), torch.rand(1, 3, 33, 33), torch.rand(1, 33, 33), regions=5, steps=20)


def test_squeezenet_and_network_in_network(tmp_path):
    """Scores come from a global mean of maps, with the softmax (SqueezeNet) or without (NIN)."""
    text = "".join([
        head(29, 31), conv("conv1", "data", 6, 3, "stride: 2"), relu("relu_conv1", "conv1"),
        pool("pool1", "conv1", "pool: MAX kernel_size: 3 stride: 2"),
        conv("fire2/squeeze1x1", "pool1", 2, 1), relu("fire2/relu_s", "fire2/squeeze1x1"),
        conv("fire2/expand1x1", "fire2/squeeze1x1", 3, 1), relu("fire2/relu_e1", "fire2/expand1x1"),
        conv("fire2/expand3x3", "fire2/squeeze1x1", 3, 3, "pad: 1"), relu("fire2/relu_e3", "fire2/expand3x3"),
        layer("fire2/concat", "Concat", "fire2/expand1x1 fire2/expand3x3"),
        layer("drop9", "Dropout", "fire2/concat", "fire2/concat", "dropout_param { dropout_ratio: 0.5 }"),
        conv("conv10", "fire2/concat", 5, 1, "pad: 1"), relu("relu_conv10", "conv10"),
        pool("pool10", "conv10", "pool: AVE global_pooling: true"),
    ])  # fmt: skip
    shapes = {
        "conv1": (6, 3, 3, 3), "fire2/squeeze1x1": (2, 6, 1, 1), "fire2/expand1x1": (3, 2, 1, 1),
        "fire2/expand3x3": (3, 2, 3, 3), "conv10": (5, 6, 1, 1),
    }  # fmt: skip

    class Fire(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleList(
                [nn.Conv2d(3, 6, 3, 2), nn.Conv2d(6, 2, 1), nn.Conv2d(2, 3, 1), nn.Conv2d(2, 3, 3, padding=1),
                 nn.Conv2d(6, 5, 1, padding=1)]
            )  # fmt: skip

        def forward(self, x):
            first, squeeze, one, three, last = self.parts
            x = nn.functional.max_pool2d(torch.relu(first(x)), 3, 2, ceil_mode=True)
            x = torch.relu(squeeze(x))
            x = torch.cat([torch.relu(one(x)), torch.relu(three(x))], dim=1)
            return torch.relu(last(x)).mean((2, 3))

    arrays = random_arrays(shapes)
    by_hand = filled(Fire(), arrays.values())
    for number, end in enumerate(["", layer("prob", "Softmax", "pool10")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = read(folder, text + end, arrays)
        same_as(found, by_hand, 3, 29, 31)
        same_scores(hp.Network(found), torch.rand(1, 3, 29, 31), torch.rand(1, 29, 31), regions=5, steps=20)


def test_residual_network(tmp_path):
    """Batch norms times the third array, scales, sums; all folded into the convolutions."""
    text = "".join([
        head(17, 17), conv("conv1", "data", 4, 3, "bias_term: false"), layer("bn1", "BatchNorm", "conv1", "conv1"),
        layer("scale1", "Scale", "conv1", "conv1", "scale_param { bias_term: true }"), relu("relu1", "conv1"),
        conv("conv2", "conv1", 4, 3, "pad: 1"), layer("sum", "Eltwise", "conv1 conv2"),
        layer("flat", "Flatten", "sum"), dense("fc", "flat", 5),
    ])  # fmt: skip
    arrays = random_arrays({"conv1": (4, 3, 3, 3), "conv2": (4, 4, 3, 3), "fc": (5, 900)})
    generator = np.random.default_rng(1)
    mean, variance, weight, bias = (generator.random(4, dtype=np.float32) + 0.5 for _ in range(4))
    stored = {
        "conv1": arrays["conv1"][:1], "bn1": [mean * 8, variance * 8, np.array([8], np.float32)],
        "scale1": [weight, bias], "conv2": arrays["conv2"], "fc": arrays["fc"],
    }  # fmt: skip
    found = read(tmp_path, text, stored)
    one = nn.Conv2d(3, 4, 3, bias=False)
    one.weight.data = torch.from_numpy(arrays["conv1"][0])
    batch_norm = nn.BatchNorm2d(4).eval()
    for name, value in zip(
        ("running_mean", "running_var", "weight", "bias"), (mean, variance, weight, bias), strict=True
    ):
        getattr(batch_norm, name).data = torch.from_numpy(value)
    two, last = filled(
        nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1), nn.Linear(900, 5)]), [arrays["conv2"], arrays["fc"]]
    )

    def by_hand(x):
        x = torch.relu(batch_norm(one(x)))
        return last((x + two(x)).flatten(1))

    same_as(found, by_hand, 3, 17, 17)
    kinds = [type(node.operation).__name__ for node in hp.Network(found).graph((3, 17, 17))]
    assert kinds == ["Convolution", "ReLU", "Convolution", "Add", "Flatten", "Linear"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("", lambda a, b: a + b),
        ("operation: SUM coeff: 1 coeff: -1", lambda a, b: a - b),
        ("operation: SUM coeff: 0.5 coeff: 2", lambda a, b: 0.5 * a + 2 * b),
        ("operation: PROD", lambda a, b: a * b),
        ("operation: MAX", torch.maximum),
    ],
)
def test_eltwise(parameters, expected, tmp_path):
    text = "".join([
        head(9, 9), conv("a", "data", 2, 3), conv("b", "data", 2, 3),
        layer("both", "Eltwise", "a b", "both", f"eltwise_param {{ {parameters} }}"), dense("fc", "both", 3),
    ])  # fmt: skip
    arrays = random_arrays({"a": (2, 3, 3, 3), "b": (2, 3, 3, 3), "fc": (3, 98)})
    found = read(tmp_path, text, arrays)
    a, b, last = filled(nn.ModuleList([nn.Conv2d(3, 2, 3), nn.Conv2d(3, 2, 3), nn.Linear(98, 3)]), arrays.values())
    same_as(found, lambda x: last(expected(a(x), b(x)).flatten(1)), 3, 9, 9)
    network = hp.Network(found)
    methods = ["sensitivity-l2"] if "PROD" in parameters else ["sensitivity-l2", "lrp-epsilon", "deconvolution-l2"]
    for method in methods:
        assert bool(hp.explain(network, torch.rand(1, 3, 9, 9), method).isfinite().all())


def test_relevance_of_a_maximum_goes_to_the_larger_map(tmp_path):
    text = "".join([
        head(4, 4), conv("a", "data", 1, 1), conv("b", "data", 1, 1),
        layer("both", "Eltwise", "a b", "both", "eltwise_param { operation: MAX }"), dense("fc", "both", 1),
    ])  # fmt: skip
    ones = np.ones((1, 3, 1, 1), np.float32)
    zero = np.zeros(1, np.float32)
    arrays = {"a": [ones, zero], "b": [2 * ones, zero], "fc": [np.ones((1, 16), np.float32), zero]}
    network = hp.Network(read(tmp_path, text, arrays))
    picture = torch.rand(1, 3, 4, 4)
    found = hp.explain(network, picture, "lrp-epsilon[epsilon=0.0000001]")
    torch.testing.assert_close(found, 2 * picture.sum(dim=1), rtol=1e-5, atol=1e-5)


# --- single layers against slow loops

WINDOWS = [
    "kernel_size: 3 stride: 2", "kernel_size: 2 stride: 2", "kernel_size: 3 stride: 2 pad: 1", "kernel_size: 3 pad: 1",
    "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1", "kernel_size: 5 stride: 3 pad_h: 2 pad_w: 1",
    "kernel_size: 4 stride: 4 pad: 2", "kernel_size: 2 stride: 2 pad: 1", "kernel_size: 3 stride: 3 pad: 1",
    "kernel_size: 3 stride: 2 round_mode: FLOOR", "kernel_size: 1",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["MAX", "AVE"])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("size", [(7, 7), (8, 6), (9, 11), (6, 10)], ids=str)
def test_pooling_rounds_as_caffe_does(kind, window, size, tmp_path):
    """The rule for windows that begin in the padding, and the means' divisors, position by position."""
    (tmp_path / "n.prototxt").write_text(
        head(*size) + pool("pool", "data", f"pool: {kind} {window}") + dense("fc", "pool", 2)
    )
    layer_found = read_network(tmp_path / "n.prototxt", None).get_submodule("pool")
    said = dict(zip(window.replace(":", "").split()[::2], window.replace(":", "").split()[1::2], strict=True))

    def pair(name, default):
        both = int(said.get(name, default))
        tall, wide = (said.get(f"{name.split('_')[0]}_{side}", both) for side in "hw")
        return int(tall), int(wide)

    picture = images(1, 3, *size)
    expected = [
        slow_pool(
            channel.numpy(), pair("kernel_size", 1), pair("stride", 1), pair("pad", 0), kind == "AVE",
            said.get("round_mode") != "FLOOR",
        )
        for channel in picture[0]
    ]  # fmt: skip
    torch.testing.assert_close(layer_found(picture)[0], torch.from_numpy(np.stack(expected)).float())


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("kernel_size: 1 stride: 3", r"stride = 3 above kernel_size = 1, the last window lies outside"),
        ("kernel_size: 3 pad: 2", r"pad = 2 must be at most half of kernel_size = 3"),
        ("kernel_size: 20 stride: 2", r"kernel_size = 20 is larger than its input with padding, 8"),
        ("global_pooling: true kernel_size: 2", r"global_pooling takes the whole map, so kernel_size must be left out"),
        ("stride: 2", r"kernel_size is missing"),
        ("kernel_size: 2 pool: STOCHASTIC", r"pooling_param\.pool must be one of MAX, AVE, got 'STOCHASTIC'"),
    ],
)
def test_pooling_that_means_nothing_is_told(window, message, tmp_path):
    (tmp_path / "n.prototxt").write_text(head(8, 8) + pool("p1", "data", window) + dense("fc", "p1", 2))
    with pytest.raises(hp.InputError, match=rf"n\.prototxt, layer 'p1' \(Pooling\): .*{message}"):
        read_network(tmp_path / "n.prototxt", None)


def test_norm_within_channels(tmp_path):
    text = "".join([
        head(6, 6), norm("n", "data", "local_size: 3 alpha: 0.5 beta: 0.75 norm_region: WITHIN_CHANNEL k: 7"),
        dense("fc", "n", 3),
    ])  # fmt: skip
    (tmp_path / "n.prototxt").write_text(text)
    picture = images(1, 3, 6, 6)
    found = read_network(tmp_path / "n.prototxt", None).get_submodule("n")(picture)
    torch.testing.assert_close(found[0], torch.from_numpy(norm_within(picture[0].numpy(), 3, 0.5, 0.75)))


def test_leaky_relu_dilation_and_kernels_of_two_sides(tmp_path):
    parameters = "num_output: 2 kernel_h: 3 kernel_w: 1 pad_h: 2 pad_w: 0 dilation: 2 stride: 1"
    text = "".join([
        head(9, 8), layer("c", "Convolution", "data", "c", f"convolution_param {{ {parameters} }}"),
        layer("r", "ReLU", "c", "c", "relu_param { negative_slope: 0.1 }"),
        layer("fc", "InnerProduct", "c", "fc", "inner_product_param { num_output: 3 transpose: true }"),
    ])  # fmt: skip
    arrays = random_arrays({"c": (2, 3, 3, 1), "fc": (3, 144)})
    convolution, last = filled(
        nn.ModuleList([nn.Conv2d(3, 2, (3, 1), padding=(2, 0), dilation=2), nn.Linear(144, 3)]), arrays.values()
    )
    stored = arrays | {"fc": [arrays["fc"][0].T.copy(), arrays["fc"][1]]}
    expected = lambda x: last(nn.functional.leaky_relu(convolution(x), 0.1).flatten(1))  # noqa: E731
    same_as(read(tmp_path, text, stored), expected, 3, 9, 8)


# --- files


@pytest.mark.parametrize("options", [{"double": True}, {"packed": False}], ids=str)
def test_numbers_in_other_forms(options, tmp_path):
    text = head(4, 4) + conv("c", "data", 2, 3) + dense("fc", "c", 3)
    arrays = random_arrays({"c": (2, 3, 3, 3), "fc": (3, 8)})
    pictures = images(1, 3, 4, 4)
    expected = read(tmp_path, text, arrays)(pictures)
    torch.testing.assert_close(read(tmp_path, text, arrays, **options)(pictures), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    "size",
    [
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 5',
        'input: "data" input_shape { dim: [1, 3, 4, 5] }',
        'input: "data"; input_shape < dim: 1, dim: 3, dim: 4, dim: 5 >',
        'layer { name: "data" type: "Input" top: "data" input_param { shape: { dim: 1 dim: 3 dim: 4 dim: 5 } } }',
        "# a comment\ninput:'da' 'ta'  input_dim:1 input_dim:3 input_dim:0x4 input_dim:5",
    ],
)
def test_sizes_in_every_form(size, tmp_path):
    (tmp_path / "n.prototxt").write_text(size + dense("fc", "data", 3))
    network = read_network(tmp_path / "n.prototxt", None)
    assert (network.input_shape, network.classes) == ((3, 4, 5), 3)


def test_layers_of_training_are_left_out(tmp_path):
    dropped = layer("d", "Accuracy", "nothing").replace(" }\n", " include { phase: TRAIN } }\n")
    (tmp_path / "n.prototxt").write_text(head(4, 4) + dropped + dense("fc", "data", 3))
    assert read_network(tmp_path / "n.prototxt", None).classes == 3


@pytest.mark.parametrize("name", ["training", "forward", "a.b", "_source", "title", "pop", ""])
def test_layers_may_have_any_name(name, tmp_path):
    text = head(4, 4) + conv("other", "data", 2, 3) + dense(name, "other", 3)
    found = read(tmp_path, text, random_arrays({"other": (2, 3, 3, 3), name: (3, 8)}))
    assert found(images(2, 3, 4, 4)).shape == (2, 3)


def test_mean_image_is_averaged_over_its_positions(tmp_path):
    mean = np.arange(3 * 4 * 5, dtype=np.float32).reshape(1, 3, 4, 5)
    for number, written_mean in enumerate([blob(mean, old=True), blob(mean), blob(mean[0])]):
        path = tmp_path / f"{number}.binaryproto"
        path.write_bytes(written_mean)
        assert read_mean(path) == pytest.approx((9.5, 29.5, 49.5))


@pytest.mark.parametrize("shape", [(3,), (1, 3, 1, 1), (3, 1, 1), (1, 1, 1, 3)])
def test_mean_of_channels(shape, tmp_path):
    (tmp_path / "m.binaryproto").write_bytes(blob(np.array([104, 117, 123], np.float32).reshape(shape)))
    assert read_mean(tmp_path / "m.binaryproto") == (104, 117, 123)


def test_mean_of_other_channels_is_refused(tmp_path):
    (tmp_path / "m.binaryproto").write_bytes(blob(np.zeros((1, 4, 2, 2), np.float32)))
    with pytest.raises(hp.InputError, match=r"m\.binaryproto must hold a mean of one or three channels, got an array"):
        read_mean(tmp_path / "m.binaryproto")
