"""A graph computes what its module computes, whatever the module is made of; what it cannot read it refuses."""

import copy
import re

import pytest
import timm
import torch
import torch.nn.functional as F
from small_networks import Forward, ReluCNN, narrowed, randomised
from torch import nn
from torchvision import models

import heatproof as hp
from heatproof.errors import InputError
from heatproof.network.backward import check_way
from heatproof.network.export import export
from heatproof.network.operations.activation import ReLU
from heatproof.network.operations.attention import Softmax
from heatproof.network.operations.normalization import BatchNorm
from heatproof.network.operations.rearrangement import Channels
from heatproof.network.operations.weighted import Convolution

slow = pytest.mark.slow
SMALL = (3, 12, 12)
FAMILIES = [
    "alexnet",
    "squeezenet1_1",
    "resnet18",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "timm:tf_efficientnet_lite0",
    *(
        pytest.param(name, marks=slow)
        for name in (
            "vgg11", "vgg11_bn", "resnext50_32x4d", "wide_resnet50_2", "densenet121", "googlenet", "inception_v3",
            "mobilenet_v2", "mnasnet0_5", "regnet_x_400mf", "regnet_y_400mf", "convnext_tiny",
            "efficientnet_b0", "efficientnet_v2_s",
        )
    ),
]  # fmt: skip


def network_of(name):
    if name.startswith("timm:"):
        return randomised(timm.create_model(name.removeprefix("timm:")))
    options = {"init_weights": False, "transform_input": True} if name in ("googlenet", "inception_v3") else {}
    module = models.get_model(name, weights=None, **options)
    return randomised(narrowed(module) if name in ("alexnet", "vgg11", "vgg11_bn") else module)


def pictures(count=3, shape=SMALL, seed=0):
    return torch.rand(count, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def own(forward):
    torch.manual_seed(0)
    return randomised(Forward(forward))


def same_as_module(module, shape=SMALL):
    """The graph of ``module``, after it has computed the module's scores for one image and for three."""
    graph = export(module, shape)
    for count in (1, 3):
        images = pictures(count, shape)
        with torch.no_grad():
            expected = module(images.clone())
        torch.testing.assert_close(graph.evaluate(images.clone()), expected, rtol=1e-10, atol=1e-10)
    return graph


@pytest.mark.parametrize("name", FAMILIES)
def test_graph_computes_what_the_module_computes_for_odd_sizes_and_any_batch(name):
    torch.manual_seed(0)
    module = network_of(name)
    graph = same_as_module(module, (3, 79, 97) if name == "inception_v3" else (3, 65, 79))
    operations = {node.name: node.operation for node in graph}
    behind = [operations.get(node.inputs[0]) for node in graph if isinstance(node.operation, BatchNorm)]
    assert not any(isinstance(before, Convolution) for before in behind), "a batch norm was not folded"


def test_network_evaluates_through_the_graph():
    module = randomised(ReluCNN())
    with torch.no_grad():
        expected = module(pictures(3, (3, 15, 22)))
    torch.testing.assert_close(hp.Network(module).logits(pictures(3, (3, 15, 22))), expected, rtol=1e-10, atol=1e-10)


def test_the_users_module_is_left_as_it_is():
    module = ReluCNN().train()
    module.conv1.bias.requires_grad_(False)
    before = copy.deepcopy(module.state_dict())
    flags = [parameter.requires_grad for parameter in module.parameters()]
    network = hp.Network(module)
    hp.explain(network, torch.rand(2, 3, 16, 16), "lrp-epsilon")
    assert all(part.training for part in module.modules())
    assert [parameter.requires_grad for parameter in module.parameters()] == flags
    assert all(parameter.grad is None for parameter in module.parameters())
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_images_are_left_as_they_are():
    images = pictures()
    before = images.clone()
    hp.Network(own(lambda m, x: m.scores(m.relu(m.conv(x.mul_(2)))))).logits(images)
    torch.testing.assert_close(images, before, rtol=0, atol=0)


def test_functional_relu_is_read_like_the_module():
    graph = same_as_module(own(lambda m, x: m.scores(F.relu(m.conv(x)))))
    assert [type(node.operation).__name__ for node in graph].count("ReLU") == 1


def test_reused_module_becomes_one_node_per_use():
    graph = same_as_module(own(lambda m, x: m.scores(m.relu(m.other(m.relu(m.other(m.relu(m.conv(x)))))))))
    assert sum(isinstance(node.operation, ReLU) for node in graph) == 3
    assert len({node.name for node in graph}) == len(graph)


def relu_in_place_read_later(m, x):
    y = m.conv(x)
    y.relu_()
    return m.scores(m.other(y) + y)


def in_place_twice(m, x):
    y = m.conv(x)
    z = y.relu_()
    z.add_(1)
    return m.scores(y)


def in_place_behind_dropout(m, x):
    y = m.conv(x)
    z = m.drop(y).relu_()
    return m.scores(y + 2 * z)


def in_place_sum(m, x):
    y = m.conv(x)
    y += m.other(y)
    return m.scores(F.relu(y, inplace=True))


def relu_of_a_value_read_elsewhere(m, x):
    y = m.conv(x)
    return m.scores(F.relu(y) + y)


@pytest.mark.parametrize(
    "forward",
    [relu_in_place_read_later, in_place_twice, in_place_behind_dropout, in_place_sum, relu_of_a_value_read_elsewhere],
)
def test_in_place_operations_mean_what_they_mean_in_the_module(forward):
    module = own(forward)
    same_as_module(module)
    images = pictures()
    gradient = hp.Network(module).forward_pass(images).gradient
    step = 1e-6 * pictures(seed=1)  # autograd refuses some of these: central differences
    with torch.no_grad():
        expected = (module(images + step).amax(dim=1) - module(images - step).amax(dim=1)) / 2
    torch.testing.assert_close((gradient * step).sum(dim=(1, 2, 3)), expected, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("method", ["lrp-epsilon", "lrp-epsilon[bias=exclude]", "gradient-x-input"])
def test_a_product_and_a_sum_in_one_operation(method):
    scale, shift = torch.rand(2, 4, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.5
    fused = own(lambda m, x: m.scores(torch.addcmul(shift, scale, m.conv(x), value=2)))
    apart = own(lambda m, x: m.scores(shift + 2 * scale * m.conv(x)))
    maps = [hp.explain(hp.Network(same), pictures(), method) for same in (fused, apart)]
    torch.testing.assert_close(*maps, rtol=1e-9, atol=1e-12)


def test_a_sum_with_a_product_of_two_maps_has_no_rule():
    network = hp.Network(own(lambda m, x: m.scores(torch.addcmul(torch.ones(()).double(), m.conv(x), m.conv(x)))))
    with pytest.raises(InputError, match="does not know the operation addcmul"):
        hp.explain(network, pictures(), "lrp-epsilon")


def gelu_alone(m, x):
    return m.scores(F.gelu(m.conv(x), approximate="tanh"))


def gelu_of_a_value_read_elsewhere(m, x):
    y = m.conv(x)
    return m.scores(F.gelu(y) * y)


def weighted_difference(m, x):
    y = F.silu(m.conv(x))
    return m.scores(torch.sub(m.other(y), y, alpha=3))


def sum_with_one_value_for_all(m, x):
    y = m.conv(x)
    return m.scores(y.mean(dim=(2, 3), keepdim=True) - m.other(y))


def compared(m, x):
    return m.scores((m.conv(x) > 0).to(x.dtype))


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (gelu_alone, {"gelu": 0}),
        (gelu_of_a_value_read_elsewhere, {}),
        (weighted_difference, {"silu": 0, "sub": 0}),
        (sum_with_one_value_for_all, {"sub": 1}),
        (compared, {}),
    ],
)
def test_what_takes_the_place_of_its_input_has_the_same_bits(forward, expected):
    graph, images = same_as_module(own(forward)), pictures()
    assert graph.in_place == expected
    found = graph.evaluate(images)
    graph.__dict__["in_place"] = {}
    assert torch.equal(found, graph.evaluate(images))


def test_dropout_in_place_behind_flatten_is_left_out():
    """As in torchvision's EfficientNet: a dropout in place reads a flattened map."""
    same_as_module(own(lambda m, x: m.dense(F.dropout(m.conv(x).flatten(1), training=False, inplace=True))))


def view_in_place(m, x):
    y = m.conv(x)
    y.view(x.shape[0], 4, 100).relu_()
    return m.scores(y)


def chunk_in_place(m, x):
    y = m.conv(x)
    y.chunk(2, dim=1)[0].relu_()
    return m.scores(y)


def channel_set(m, x):
    y = m.norm1(m.conv(x))
    y[:, 1] = 0
    return m.scores(y)


@pytest.mark.parametrize("forward", [view_in_place, chunk_in_place, channel_set])
def test_a_view_is_changed_in_place(forward):
    graph = same_as_module(own(forward))
    check_way(graph, "relevance", "LRP")


def test_batch_norm_behind_a_shared_batch_norm_is_not_folded_again():
    def forward(m, x):  # a pre-activation block behind a stem of convolution and batch norm
        y = m.norm1(m.conv(x))
        return m.scores(m.norm2(y) + y)

    same_as_module(own(forward))


def test_batch_norm_is_not_folded_into_a_convolution_that_others_read():
    def forward(m, x):
        y = m.conv(x)
        return m.scores(m.norm1(y) + y)

    graph = same_as_module(own(forward))
    assert sum(isinstance(node.operation, BatchNorm) for node in graph) == 1


def test_two_batch_norms_in_a_row_are_both_folded():
    graph = same_as_module(own(lambda m, x: m.scores(m.norm2(m.norm1(m.conv(x))))))
    assert not any(isinstance(node.operation, BatchNorm) for node in graph)


def test_dropout_is_left_out():
    graph = same_as_module(own(lambda m, x: m.scores(m.drop(m.relu(m.drop(m.conv(x)))))))
    assert [type(node.operation).__name__ for node in graph] == ["Convolution", "ReLU", "Sum", "Linear"]


def test_dropout_that_stays_on_is_refused():
    with pytest.raises(InputError, match="drops values at random even in evaluation; heatmaps need a fixed network"):
        export(own(lambda m, x: m.scores(F.dropout(m.conv(x), training=True))), SMALL)


@pytest.mark.parametrize("softmax", [F.softmax, F.log_softmax])
def test_final_softmax_is_cut_off_so_that_scores_are_logits(softmax):
    """Trap: a softmax where the score is the logit."""
    module = own(lambda m, x: softmax(m.scores(m.conv(x)), dim=1))
    logits = own(lambda m, x: m.scores(m.conv(x)))
    network = hp.Network(module)
    assert not any(isinstance(node.operation, Softmax) for node in network.graph(SMALL))
    torch.testing.assert_close(network.logits(pictures()), logits(pictures()).detach(), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(
        hp.explain(network, pictures(), "sensitivity-l2"), hp.explain(hp.Network(logits), pictures(), "sensitivity-l2")
    )


def test_softmax_inside_the_network_stays():
    graph = same_as_module(own(lambda m, x: m.scores(F.softmax(m.conv(x), dim=1))))
    with pytest.raises(InputError, match=r"LRP cannot go through the model's own softmax: no relevance rule"):
        check_way(graph, "relevance", "LRP")


@pytest.mark.parametrize("way", ["view", "reshape"])
def test_flattening_to_a_given_length_has_a_graph(way):
    same_as_module(own(lambda m, x: m.dense(getattr(m.relu(m.conv(x)), way)(-1, 400))))  # as in LeNet tutorials


def test_fixed_batch_size_is_no_graph():
    with pytest.raises(InputError, match=r"the model cannot be exported by torch\.export: "):
        export(own(lambda m, x: m.dense(m.conv(x).reshape(2, 400))), SMALL)


@pytest.mark.parametrize("way", ["view", "reshape"])
def test_flattening_by_the_size_of_the_batch_has_a_graph(way):
    same_as_module(own(lambda m, x: m.dense(getattr(m.conv(x), way)(x.size(0), -1))))


def test_a_view_of_maps_is_evaluated_by_the_network():
    module = own(lambda m, x: m.dense(m.relu(m.conv(x)).view(-1, 400)))
    torch.testing.assert_close(hp.Network(module).logits(pictures()), module(pictures()).detach())


def test_view_of_maps_is_evaluated_where_there_is_no_graph():
    module = own(lambda m, x: m.dense(m.relu(m.conv(x)).view(-1, 400) if x.sum() > 0 else x.flatten(1)))
    torch.testing.assert_close(hp.Network(module).logits(pictures()), module(pictures()).detach())


def several(m, x):
    return m.scores(m.conv(x)), x


def by_name(m, x):
    return {"logits": m.scores(m.conv(x)), "maps": x}


def maps(m, x):
    return m.conv(x)


def constant(m, x):
    return m.head.weight.repeat(1, 1)


@pytest.mark.parametrize(
    ("forward", "came"),
    [
        (several, "got something else"),
        (by_name, "got something else"),
        (maps, r"got \(B, 4, 10, 10\)"),
        (constant, "got something else"),
    ],
)
def test_output_that_is_no_tensor_of_scores_is_refused(forward, came):
    with pytest.raises(InputError, match=rf"must return one tensor of class scores of shape \(B, classes\).*{came}"):
        export(own(forward), SMALL)


@pytest.mark.parametrize(
    ("forward", "came", "ask"),
    [
        (several, "tuple", "logits"),
        (by_name, "dict", "logits"),
        (maps, r"\(1, 4, 10, 10\)", "logits"),
        (several, "tuple", "heatmap"),
        (by_name, "dict", "heatmap"),
        (maps, r"\(1, 4, 10, 10\)", "heatmap"),
    ],
)
def test_network_refuses_outputs_that_are_no_scores(forward, came, ask):
    network = hp.Network(own(forward))
    with pytest.raises(InputError, match=rf"must return one tensor of class scores .* got {came}; wrap it"):
        network.logits(pictures()) if ask == "logits" else hp.explain(network, pictures(), "sensitivity-l2")


def branches(m, x):
    y = m.relu(m.conv(x))
    return m.scores(y) if y.sum() > 0 else m.scores(-y)


def unknown(m, x):
    return m.scores(m.conv(x).logcumsumexp(2))


GRAPHLESS = [
    pytest.param(branches, "the model cannot be exported by torch.export: Could not guard", id="branches"),
]


@pytest.mark.parametrize(("forward", "reason"), GRAPHLESS)
def test_without_a_graph_the_gradient_is_left(forward, reason):
    module = own(forward)
    network = hp.Network(module, name="own")
    assert network.without_graph(SMALL).startswith(f"own has no graph ({reason}")
    images = pictures()
    torch.testing.assert_close(network.logits(images), module(images).detach())
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(leaf).amax(dim=1).sum(), leaf)
    torch.testing.assert_close(hp.explain(network, images, "sensitivity-l2"), gradient.norm(dim=1))
    torch.testing.assert_close(hp.explain(network, images, "gradient-x-input"), (gradient * images).sum(dim=1))


@pytest.mark.parametrize(("forward", "reason"), GRAPHLESS)
@pytest.mark.parametrize(
    "method", ["lrp-epsilon", "lrp-alphabeta[alpha=1,beta=0]", "lrp-epsilon-gamma-box", "deconvolution-l2"]
)
def test_without_a_graph_other_methods_give_the_reason(forward, reason, method):
    with pytest.raises(InputError, match=rf"{re.escape(method)} needs the network's graph: .*{reason}"):
        hp.explain(hp.Network(own(forward)), pictures(), method)


def test_without_a_graph_a_module_may_change_its_input_in_place():
    module = own(lambda m, x: m.scores(m.conv(x.mul_(2)) if x.sum() > 0 else m.conv(x)))
    assert hp.explain(hp.Network(module), pictures(), "sensitivity-l2").shape == (3, 12, 12)


def test_an_unknown_operation_costs_only_what_needs_its_rule():
    module = own(unknown)
    network, images = hp.Network(module), pictures()
    assert [type(node.operation).__name__ for node in same_as_module(module)] == [
        "Convolution", "Opaque", "Sum", "Linear",
    ]  # fmt: skip
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module(leaf).amax(dim=1).sum(), leaf)
    torch.testing.assert_close(hp.explain(network, images, "gradient-x-input"), (gradient * images).sum(dim=1))
    told = (
        r" cannot go through the model's own logcumsumexp: heatproof does not know the operation logcumsumexp\.default"
    )
    for method in ("lrp-epsilon", "lrp-epsilon-gamma-box", "deconvolution-l2"):
        with pytest.raises(InputError, match=method + told):
            hp.explain(network, images, method)


def test_an_unknown_operation_in_a_gate_costs_nothing():
    graph = same_as_module(own(lambda m, x: m.scores(m.conv(x) * m.conv(x).logcumsumexp(2)[:, :, -1:, -1:].sigmoid())))
    check_way(graph, "relevance", "LRP")


def test_an_unknown_operation_is_named_with_its_place():
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), nn.LPPool2d(2, 2), nn.FractionalMaxPool2d(2, 3))
    )
    with pytest.raises(InputError, match=r"1\.2 \(.*\) draws random numbers; heatmaps need a fixed network"):
        export(nn.Sequential(module, nn.Flatten()).eval(), SMALL)
    exact = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), nn.Upsample(scale_factor=2, mode="nearest-exact"))
    )
    graph = export(nn.Sequential(exact, nn.Flatten()).eval(), SMALL)
    with pytest.raises(InputError, match=r"LRP cannot go through 0\.1\.1 \(upsample_nearest_exact2d\): heatproof"):
        check_way(graph, "relevance", "LRP")


def test_batch_norm_without_statistics_is_refused():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten())
    with pytest.raises(InputError, match="batch norm uses the statistics of the batch; track running statistics"):
        export(module.eval(), SMALL)


def test_weights_computed_from_the_image_have_no_rule():
    graph = same_as_module(own(lambda m, x: m.scores(F.linear(m.conv(x), m.conv(x).mean((0, 2)) * 0 + 1))))
    with pytest.raises(InputError, match=r"linear.*: no rule is defined for weights that are computed from the image"):
        check_way(graph, "relevance", "LRP")


@pytest.mark.parametrize("kernel", [2, (3, 4), (4, 1)], ids=str)
@pytest.mark.parametrize("dilation", [1, 3])
def test_padding_same_with_an_even_kernel_pads_as_unevenly(kernel, dilation):
    module = nn.Sequential(nn.Conv2d(3, 4, kernel, padding="same", dilation=dilation), nn.ReLU(), nn.Flatten())
    same_as_module(module.double().eval(), (3, 9, 11))


@pytest.mark.parametrize("padding", ["same", "valid", 2, (1, 2)], ids=str)
@pytest.mark.parametrize("dilation", [1, 2])
def test_convolution_settings_are_read(padding, dilation):
    convolution = nn.Conv2d(3, 6, 3, padding=padding, dilation=dilation, groups=3)
    same_as_module(nn.Sequential(convolution, nn.Flatten()).double().eval(), (3, 9, 11))


@pytest.mark.parametrize("recorded", [False, True])
def test_batch_size_grows_with_memory_and_is_never_zero(recorded):
    network = hp.Network(randomised(ReluCNN()))
    sizes = [network.batch_size((3, 16, 16), 2**power, recorded=recorded) for power in range(0, 34)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 1
    assert sizes[-1] > 8
    assert len(set(sizes)) > 3
    assert network.batch_size((3, 16, 16), 2**20, recorded=True) <= network.batch_size((3, 16, 16), 2**20)


def scaled_channel_by_channel(m, x):
    return m.scores(m.conv(torch.cat([x[:, c].unsqueeze(1) * (c + 1) - 0.1 for c in (2, 0, 1)], dim=1)))


def test_channels_taken_out_one_by_one_stay_maps():
    """As GoogLeNet's and Inception's ``transform_input`` does."""
    graph = same_as_module(own(scaled_channel_by_channel))
    assert all(len(node.shape) == 3 for node in list(graph)[:10])  # up to their concatenation
    assert sum(isinstance(node.operation, Channels) for node in graph) == 3


def test_a_slice_of_everything_and_what_nothing_reads_are_left_out():
    def forward(m, x):
        m.other(m.conv(x))
        return m.scores(m.conv(x[:, :, :]))

    assert len(same_as_module(own(forward))) == len(same_as_module(own(lambda m, x: m.scores(m.conv(x)))))
