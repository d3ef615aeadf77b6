"""What every heatmap method promises, asked of each that is registered; and what wrong input is told."""

import copy
import re

import pytest
import torch
from small_networks import Forward, ReluCNN, randomised
from small_transformer import SmallTransformer
from torch import nn

import heatproof as hp
from heatproof.errors import InputError
from heatproof.heatmaps import METHODS, WRAPPERS, explain_batches
from heatproof.heatmaps.methods import of_attention

WRAPPED = [f"{prefix}:lrp-alphabeta" for prefix in WRAPPERS] + ["negated:randomised[seed=3]:gradient-x-input"]
NAMES = [*METHODS, *WRAPPED]
OF_ATTENTION = [name for name in METHODS if of_attention(name)]  # these are asked about a transformer
BLIND = {"random", "constant", "centre-gaussian", "sobel", "centred-sobel"}  # they never see the network
BLIND |= {"attention-rollout"}  # nor this the class
every_method = pytest.mark.parametrize("method", NAMES)


@pytest.fixture(scope="module")
def networks():
    preprocessing = hp.Preprocessing(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    made = (ReluCNN(), SmallTransformer())
    return [hp.Network(randomised(module), preprocessing=preprocessing, name="small") for module in made]


@pytest.fixture
def network(networks, request):
    """A small network that has what the method reads."""
    given = getattr(request.node, "callspec", None)
    return networks[given is not None and given.params.get("method") in OF_ATTENTION]


@pytest.fixture
def images():
    return torch.rand(4, 3, 14, 19, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def same(found, expected):
    """Equal up to the rounding of differently chunked sums; a stabilised quotient amplifies it."""
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9 * float(expected.abs().max()))


@every_method
def test_maps_have_one_finite_number_for_each_pixel(method, network, images):
    maps = hp.explain(network, images, method)
    assert maps.shape == (4, 14, 19)
    assert (maps.dtype, maps.device, maps.requires_grad) == (images.dtype, images.device, False)
    assert bool(maps.isfinite().all())
    assert bool((maps.flatten(start_dim=1).std(dim=1) > 0).all()) or method == "constant"


@every_method
def test_maps_take_the_type_of_the_images(method, network, images):
    maps = hp.explain(network, images.float(), method)
    assert maps.dtype == torch.float32
    assert maps.shape == (4, 14, 19)


@every_method
@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 7, 23), (3, 23, 7)], ids=str)
def test_any_size_of_image(method, shape, network):
    images = torch.rand(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert hp.explain(network, images, method).shape == (2, *shape[1:])


@every_method
def test_maps_do_not_depend_on_the_batch(method, network, images):
    """Trap: results that change with the batch size."""
    together = hp.explain(network, images, method)
    same(torch.cat([hp.explain(network, image[None], method) for image in images]), together)
    same(hp.explain(network, images, method, memory=1), together)  # one by one, inside


@every_method
def test_maps_do_not_depend_on_the_order_of_images(method, network, images):
    order = torch.tensor([2, 0, 3, 1])
    same(hp.explain(network, images[order], method), hp.explain(network, images, method)[order])


@pytest.mark.parametrize("attends", [False, True])
def test_methods_together_are_methods_alone(attends, networks, images):
    network, names = networks[attends], [name for name in NAMES if (name in OF_ATTENTION) == attends]
    (together,) = explain_batches(network, images, {name: name for name in names})
    assert list(together.heatmaps) == names
    for name in names:
        torch.testing.assert_close(together.heatmaps[name], hp.explain(network, images, name), rtol=1e-12, atol=0)
    (backwards,) = explain_batches(network, images, {name: name for name in reversed(names)})
    for name in names:
        torch.testing.assert_close(backwards.heatmaps[name], together.heatmaps[name], rtol=1e-12, atol=0)


@every_method
def test_twice_is_the_same(method, network, images):
    torch.testing.assert_close(hp.explain(network, images, method), hp.explain(network, images, method), rtol=0, atol=0)


@every_method
def test_network_images_and_randomness_are_left_as_they_are(method, network, images):
    before, pixels = copy.deepcopy(network.module.state_dict()), images.clone()
    state = torch.get_rng_state()
    hp.explain(network, images, method)
    torch.testing.assert_close(images, pixels, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in network.module.parameters())
    assert not any(part.training or part._forward_hooks for part in network.module.modules())
    for name, value in network.module.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@every_method
def test_target_is_the_predicted_class_unless_given(method, network, images):
    predicted = network.predict(images)
    torch.testing.assert_close(
        hp.explain(network, images, method), hp.explain(network, images, method, targets=predicted), rtol=0, atol=0
    )
    if method not in BLIND:
        other = hp.explain(network, images, method, targets=(predicted + 1) % 5)
        assert not torch.allclose(other, hp.explain(network, images, method))


def test_targets_are_split_with_the_batches(network, images):
    targets = torch.tensor([0, 1, 2, 3])
    batches = list(explain_batches(network, images, {"g": "gradient-x-input"}, targets=targets, memory=1))
    assert [int(batch.targets) for batch in batches] == [0, 1, 2, 3]
    for batch, image, target in zip(batches, images, targets, strict=True):
        torch.testing.assert_close(batch.scores, network.logits(image[None])[:, target])


@pytest.mark.parametrize("form", ["channels last", "a slice", "expanded"])
@every_method
def test_layout_of_the_images_does_not_matter(method, form, network, images):
    ways = {
        "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
        "a slice": lambda x: torch.cat([x, x], dim=3)[..., : x.shape[3]],
        "expanded": lambda x: x[:1].expand(4, -1, -1, -1),
    }
    given = ways[form](images)
    same(hp.explain(network, given, method), hp.explain(network, given.contiguous().clone(), method))


@pytest.mark.parametrize(
    "mode",
    [
        torch.enable_grad,
        torch.no_grad,
        torch.inference_mode,
    ],
)
def test_methods_work_in_any_mode_of_autograd(mode, network, images):
    with mode():
        found = hp.explain(network, images, "sensitivity-l2")
    same(found, hp.explain(network, images, "sensitivity-l2"))


def test_a_network_without_a_graph_works_without_autograd_switched_on():
    module = randomised(Forward(lambda m, x: m.scores(m.conv(x) if x.sum() > 0 else -m.conv(x))))
    images = torch.rand(2, 3, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        assert hp.explain(hp.Network(module), images, "sensitivity-l2").shape == (2, 12, 12)


# --- random


def test_random_map_belongs_to_the_image_and_the_seed(network, images):
    """Trap: global random state."""
    maps = hp.explain(network, images, "random")
    torch.manual_seed(5)
    torch.testing.assert_close(hp.explain(network, images[2:], "random", memory=1), maps[2:], rtol=0, atol=0)
    torch.testing.assert_close(hp.explain(network, images.float(), "random").double(), maps, rtol=0, atol=0)
    assert not torch.allclose(maps[0], maps[1])
    assert not torch.allclose(hp.explain(network, images, "random[seed=1]"), maps)
    torch.testing.assert_close(hp.explain(network, images, "random[seed=0]"), maps, rtol=0, atol=0)


def test_random_map_does_not_depend_on_the_network(images):
    maps = [hp.explain(hp.Network(randomised(ReluCNN(), seed=seed)), images, "random") for seed in (0, 1)]
    torch.testing.assert_close(*maps, rtol=0, atol=0)


# --- options and errors


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("lrp-epsilon[epsilonn=1]", "unknown option of method 'lrp-epsilon': 'epsilonn'; did you mean 'epsilon'?"),
        (
            "lrp-epsilom",
            "unknown method 'lrp-epsilom'; did you mean 'lrp-epsilon'? known: attention-rollout, centre-gaussian",
        ),
        (
            "lrp-epsilon[epsilon=0]",
            "option of method 'lrp-epsilon': epsilon must be a number from 1e-30 to 1e+30, got 0",
        ),
        ("lrp-epsilon[epsilon=-1]", "epsilon must be a number from 1e-30 to 1e+30, got -1"),
        (
            "lrp-epsilon[epsilon=nan]",
            "option of method 'lrp-epsilon': epsilon must be a number from 1e-30 to 1e+30, got nan",
        ),
        ("lrp-epsilon-plus-flat[epsilon=0]", "epsilon must be a number from 1e-30 to 1e+30, got 0"),
        ("lrp-alphabeta[alpha=3,beta=-1]", "alpha + beta must be 1 with alpha ≥ 1 and beta ≤ 0, got alpha = 3"),
        ("lrp-alphabeta[alpha=2,beta=1]", "beta must be a number from -1e+06 to 0, got 1"),
        ("lrp-alphabeta[alpha=0,beta=1]", "alpha must be a number from 1 to 1e+06, got 0"),
        ("lrp-epsilon-gamma-box[gamma=-1]", "gamma must be a number from 0 to 1e+06, got -1"),
        ("lrp-epsilon[bias=maybe]", "bias must be 'include' or 'exclude', got 'maybe'"),
        ("lrp-epsilon[epsilon]", "cannot read 'lrp-epsilon[epsilon]'; options are written name[key=value,key=value]"),
        ("lrp-epsilon[epsilon=1", "cannot read 'lrp-epsilon[epsilon=1'; options are written"),
    ],
)
def test_wrong_methods_and_options_are_told(method, message, network, images):
    with pytest.raises(InputError, match=re.escape(message)):
        hp.explain(network, images, method)


@pytest.mark.parametrize(
    "method",
    [
        "lrp-epsilon[epsilon=small]",
        "lrp-alphabeta[alpha=two]",
        "lrp-epsilon-gamma-box[gamma=high]",
    ],
)
def test_options_that_are_no_numbers_are_told(method, network, images):
    with pytest.raises(InputError, match="must be"):
        hp.explain(network, images, method)


@pytest.mark.parametrize(
    "method",
    [
        "lrp-epsilon[epsilon=inf]",
        "lrp-epsilon-gamma-box[gamma=inf]",
        "lrp-alphabeta[alpha=inf,beta=-inf]",
        "lrp-alphabeta[alpha=nan,beta=nan]",
    ],
)
def test_options_that_are_not_finite_are_told(method, network, images):
    with pytest.raises(InputError, match=r"must be"):
        hp.explain(network, images, method)


def test_own_method_gets_network_images_and_targets(network, images):
    def own(given, pixels, targets):
        assert given is network
        torch.testing.assert_close(targets, given.predict(pixels))
        return pixels.mean(dim=1)

    torch.testing.assert_close(hp.explain(network, images, own), images.mean(dim=1))


@pytest.mark.parametrize("memory", [1, 2**30])
def test_own_map_that_is_not_finite_is_refused_with_the_number_of_its_image(memory, network, images):
    def own(network, pixels, targets):
        maps = pixels.mean(dim=1)
        return torch.where((pixels == images[2]).all(dim=1), torch.nan, maps)

    with pytest.raises(
        InputError, match=r"heatmap of your method for image number 2 is not finite \(NaN or infinity\)"
    ):
        hp.explain(network, images, own, memory=memory)


@pytest.mark.parametrize(
    ("own", "came"),
    [
        (lambda network, images, targets: images, r"\(4, 3, 14, 19\)"),
        (lambda network, images, targets: images[:, 0].transpose(1, 2), r"\(4, 19, 14\)"),
        (lambda network, images, targets: images.mean(dim=(0, 1)), r"\(14, 19\)"),
        (lambda network, images, targets: images[:, 0].numpy(), "ndarray"),
        (lambda network, images, targets: None, "NoneType"),
    ],
)
def test_own_map_of_another_shape_is_refused(own, came, network, images):
    with pytest.raises(
        InputError, match=rf"must have shape \(N, H, W\) = \(4, 14, 19\) to match images .*, got {came}$"
    ):
        hp.explain(network, images, own)


def test_method_that_is_neither_name_nor_callable_is_refused(network, images):
    with pytest.raises(TypeError, match=r"method must be a name or a callable \(network, images, targets\), got int"):
        hp.explain(network, images, 3)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.tensor([0, 1, 2]), r"one class index per image, shape \(4,\), got torch.int64 of shape \(3,\)"),
        (torch.tensor([0, 1, 2, 5]), r"targets must lie in 0 … 4, got 0 … 5"),
        (torch.tensor([0, 1, 2, -1]), r"targets must lie in 0 … 4, got -1 … 2"),
        (torch.tensor([0.0, 1, 2, 3]), r"one class index per image, shape \(4,\), got torch.float32"),
    ],
)
def test_wrong_targets_are_told(targets, message, network, images):
    with pytest.raises(InputError, match=message):
        hp.explain(network, images, "sensitivity-l2", targets=targets)


@pytest.mark.parametrize(
    "kind",
    [
        torch.int32,
        torch.uint8,
    ],
)
def test_targets_of_any_whole_number_type(kind, network, images):
    targets = torch.tensor([0, 1, 2, 3])
    found = hp.explain(network, images, "lrp-epsilon", targets=targets.to(kind))
    torch.testing.assert_close(found, hp.explain(network, images, "lrp-epsilon", targets=targets))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: x * 255, r"images must lie in \[0, 1\]"),
        (lambda x: x - 0.5, r"images must lie in \[0, 1\]"),
        (lambda x: x * torch.nan, r"images must lie in \[0, 1\]"),
        (lambda x: x[0], r"floating-point tensor of shape \(N, C, H, W\)"),
        (lambda x: x[:0], r"N ≥ 1"),
        (lambda x: (x * 255).to(torch.uint8), r"floating-point tensor of shape \(N, C, H, W\)"),
        (lambda x: x[:, :1], r"^expected floating-point images of shape \(N, 3, H, W\)"),
    ],
)
def test_wrong_images_are_told(wrong, message, network, images):
    with pytest.raises(InputError, match=message):
        hp.explain(network, wrong(images), "lrp-epsilon")


def test_overflow_is_told_with_its_place():
    """Each layer's first sum is zero without its bias, so that relevance grows a million-fold."""
    layers = [nn.Flatten()]
    for _ in range(9):
        layer = nn.Linear(3, 3)
        layer.weight.data = torch.tensor([[1.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        layer.bias.data = torch.tensor([1.0, 0.0, 0.0])
        layers.append(layer)
    network = hp.Network(nn.Sequential(*layers))
    image = torch.ones(1, 3, 1, 1)
    method = "lrp-epsilon[epsilon=0.000001,bias=exclude]"
    with pytest.raises(
        InputError, match=r"lrp-epsilon\[.*\] overflows at \d \(linear\): relevance is no longer finite"
    ):
        hp.explain(network, image, method, targets=torch.tensor([0]))
    assert bool(hp.explain(network, image, "lrp-epsilon[epsilon=100]").isfinite().all())


def test_score_that_does_not_depend_on_the_image_is_told():
    module = Forward(lambda m, x: m.head(m.head.weight[:1].expand(len(x), 4)) + 0 * m.scores(m.conv(x))).double().eval()
    images = torch.rand(2, 3, 12, 12, dtype=torch.float64)
    assert float(hp.explain(hp.Network(module), images, "sensitivity-l2").abs().max()) == 0


def test_network_whose_scores_are_not_finite_is_told(images):
    module = randomised(ReluCNN())
    module.head.bias.data[0] = torch.nan
    with pytest.raises(InputError, match="the network's scores are not finite"):
        hp.explain(hp.Network(module), images, "sensitivity-l2")
