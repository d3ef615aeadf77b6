"""Controls: maps that never saw the network, signs flipped, and a network that has learned nothing."""

import copy
import re

import numpy as np
import pytest
import torch
from small_networks import ReluCNN, randomised
from torch import nn

import heatproof as hp
from heatproof.errors import InputError
from heatproof.heatmaps import controls
from heatproof.network.copying import shuffled_copy


@pytest.fixture(scope="module")
def network():
    return hp.Network(randomised(ReluCNN()), preprocessing=hp.Preprocessing(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3)))


@pytest.fixture
def images():
    return torch.rand(4, 3, 14, 19, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_controls_of_a_method_are_methods(network, images):
    names = controls("lrp-epsilon[epsilon=1]")
    assert names[-2:] == ("negated:lrp-epsilon[epsilon=1]", "randomised:lrp-epsilon[epsilon=1]")
    assert all(hp.explain(network, images, name).shape == (4, 14, 19) for name in names)


def test_constant_is_tied_everywhere_even_where_regions_differ_in_size(network, images):
    assert float(hp.explain(network, images, "constant").abs().max()) == 0


def test_gaussian_has_its_closed_form(network, images):
    found = hp.explain(network, images, "centre-gaussian[sigma=0.5]")
    for row, column in [(0, 0), (6, 3), (13, 18)]:
        away = ((row + 0.5) / 14 - 0.5) ** 2 + ((column + 0.5) / 19 - 0.5) ** 2
        assert found[1, row, column].item() == pytest.approx(np.exp(-away / (2 * 0.25)))
    torch.testing.assert_close(found, found.flip(1, 2))


def test_sobel_is_the_gradient_s_magnitude_by_hand(network):
    image = torch.rand(1, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    grey = image[0].mean(dim=0).numpy()
    down = sum(w * (grey[3, 3 + d] - grey[1, 3 + d]) for d, w in ((-1, 1), (0, 2), (1, 1)))
    across = sum(w * (grey[2 + d, 4] - grey[2 + d, 2]) for d, w in ((-1, 1), (0, 2), (1, 1)))
    found = hp.explain(network, image, "sobel")[0, 2, 3].item()
    assert found == pytest.approx((down**2 + across**2) ** 0.5)


def test_sobel_of_an_even_image_is_zero(network):
    assert float(hp.explain(network, torch.full((1, 3, 14, 14), 0.3, dtype=torch.float64), "sobel").max()) < 1e-12


@pytest.mark.parametrize("method", ["lrp-epsilon[epsilon=1]", "sensitivity-l2", "random"])
def test_negated_is_minus_the_map(method, network, images):
    found = hp.explain(network, images, f"negated:{method}")
    torch.testing.assert_close(found, -hp.explain(network, images, method), rtol=0, atol=0)
    twice = hp.explain(network, images, f"negated:negated:{method}")
    torch.testing.assert_close(twice, -found, rtol=0, atol=0)


class TestRandomised:
    def test_is_the_method_on_a_shuffled_copy_for_the_original_s_class(self, network, images):
        copied = hp.Network(shuffled_copy(network.module, 0), preprocessing=network.preprocessing)
        targets = network.predict(images)
        expected = hp.explain(copied, images, "lrp-alphabeta", targets=targets)
        torch.testing.assert_close(hp.explain(network, images, "randomised:lrp-alphabeta"), expected)
        assert not torch.allclose(expected, hp.explain(network, images, "lrp-alphabeta"))

    def test_every_tensor_keeps_its_values_in_other_places(self, network):
        other = shuffled_copy(network.module, 0).state_dict()
        for name, value in network.module.named_parameters():
            torch.testing.assert_close(other[name].flatten().sort().values, value.flatten().sort().values)
            assert not torch.equal(other[name], value), name
        for name, value in network.module.named_buffers():
            assert torch.equal(other[name], value)

    def test_seed_counts_and_the_name_of_the_tensor_addresses_the_draw(self, network, images):
        zero, one = (hp.explain(network, images, f"randomised[seed={s}]:sensitivity-l2") for s in (0, 1))
        assert not torch.allclose(zero, one)
        torch.testing.assert_close(hp.explain(network, images, "randomised:sensitivity-l2"), zero)
        longer = nn.Sequential(*[nn.Linear(5, 5), nn.Linear(5, 5)])
        alone = nn.Sequential(copy.deepcopy(longer[0]))
        assert torch.equal(shuffled_copy(longer, 0)[0].weight, shuffled_copy(alone, 0)[0].weight)

    def test_the_user_s_network_stays_and_the_copy_is_made_once(self, images):
        module = randomised(ReluCNN())
        before = copy.deepcopy(module.state_dict())
        network = hp.Network(module)
        copied = network.randomised()
        hp.explain(network, images, "randomised:lrp-epsilon")
        assert network.randomised() is copied
        assert network.randomised(1) is not copied
        for name, value in module.state_dict().items():
            assert torch.equal(value, before[name])
            assert torch.equal(network.module.state_dict()[name], before[name])

    def test_the_copy_follows_the_preprocessing(self, images):
        network = hp.Network(randomised(ReluCNN()))
        network.randomised()
        network.preprocessing = hp.Preprocessing(mean=(0.5, 0.5, 0.5))
        assert network.randomised().preprocessing is network.preprocessing

    def test_network_without_parameters_is_told(self):
        network = hp.Network(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        with pytest.raises(InputError, match="expected a network with parameters to randomise"):
            hp.explain(network, torch.rand(1, 3, 4, 4), "randomised:sensitivity-l2")


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (
            "negatd:lrp-epsilon",
            "unknown prefix 'negatd'; did you mean 'negated'? known: captum, gradcam, negated, randomised, zennit",
        ),
        ("negated:lrp-epsilom", "unknown method 'lrp-epsilom'; did you mean 'lrp-epsilon'?"),
        ("negated:", "unknown method ''"),
        ("negated", "'negated' is a prefix and needs a method after it, such as negated:lrp-epsilon"),
        ("randomised[seed=1]", "'randomised' is a prefix and needs a method after it, such as randomised:lrp-epsilon"),
        ("randomised[sed=1]:random", "unknown option of prefix 'randomised': 'sed'; did you mean 'seed'?"),
        ("randomised[seed=a]:random", "option of prefix 'randomised': seed must be a whole number, got 'a'"),
        ("negated:lrp-epsilon[epsilon=0]", "epsilon must be a number from 1e-30 to 1e+30, got 0"),
        ("centre-gaussian[sigma=0]", "sigma must be a number from 0.001 to 1000, got 0"),
    ],
)
def test_wrong_prefixes_are_told(method, message, network, images):
    with pytest.raises(InputError, match=re.escape(message)):
        hp.explain(network, images, method)


def test_way_back_of_the_inner_method_is_asked_for(images):
    class NoGraph(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, x):
            means = x.mean((2, 3))
            return self.head(means if float(means.detach().sum()) < 1e9 else -means).float()

    network = hp.Network(NoGraph())
    assert hp.explain(network, images.float(), "negated:sensitivity-l2").shape == (4, 14, 19)
    with pytest.raises(InputError, match="negated:lrp-epsilon needs the network's graph"):
        hp.explain(network, images.float(), "negated:lrp-epsilon")
