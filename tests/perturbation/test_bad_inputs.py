"""What perturb() refuses, and what it says."""

import pytest
import torch
from torch import nn

from heatproof import InputError, Network, perturb
from heatproof.perturbation import Protocol

GRID = torch.arange(4).reshape(2, 2).repeat_interleave(9, dim=0).repeat_interleave(9, dim=1)
OWN = torch.tensor([[0, 1], [2, 3]])


@pytest.fixture
def attempt(convolutional, pictures, heats):
    """perturb() with two good images and heatmaps, but for what a test changes."""

    def call(**changed):
        given = {"images": pictures(2), "heatmaps": heats(2), "repeats": 2} | changed
        return perturb(convolutional(), given.pop("images"), given.pop("heatmaps"), **given)

    return call


def with_nan(heatmaps):
    heatmaps = heatmaps.clone()
    heatmaps[1, 2, 3] = torch.nan
    return heatmaps


def test_heatmap_with_nan(attempt, heats):
    with pytest.raises(InputError, match=r"heatmap of perturb for image number 1 is not finite \(NaN or infinity\)"):
        attempt(heatmaps=with_nan(heats(2)))


@pytest.mark.parametrize("shape", [(2, 9, 18), (1, 18, 18), (2, 3, 18, 18), (18, 18)])
def test_heatmaps_of_another_shape(attempt, shape):
    match = r"heatmaps of perturb must have shape \(N, H, W\) = \(2, 18, 18\) to match images \(2, 3, 18, 18\), got"
    with pytest.raises(InputError, match=match):
        attempt(heatmaps=torch.zeros(shape))


@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_no_heatmaps(attempt, order):
    with pytest.raises(InputError, match=f"order '{order}' needs heatmaps of shape"):
        attempt(heatmaps=None, order=order)


@pytest.mark.parametrize("steps", [5, 0, -1])
def test_steps_out_of_range(attempt, steps):
    with pytest.raises(InputError, match=f"steps must be between 1 and the number of regions, 4, got {steps}"):
        attempt(steps=steps)


@pytest.mark.parametrize(
    ("argument", "wrong", "right"),
    [
        ("order", "mrof", "morf"),
        ("replacement", "unifrom", "uniform"),
        ("score", "probabilty", "probability"),
        ("engine", "ful", "full"),
    ],
)
def test_unknown_names(attempt, argument, wrong, right):
    match = f"unknown {argument} '{wrong}'; did you mean '{right}'[?] known: .*{right}"
    with pytest.raises(InputError, match=match):
        attempt(**{argument: wrong})


def test_unknown_option_of_a_replacement(attempt):
    with pytest.raises(InputError, match="unknown option of replacement 'uniform': 'sigma'; known: none"):
        attempt(replacement="uniform[sigma=3]")


@pytest.mark.parametrize("repeats", [0, -2])
def test_no_repeats(attempt, repeats):
    with pytest.raises(InputError, match=f"repeats must be a whole number from 1 to 10,000, got {repeats}"):
        attempt(repeats=repeats)


@pytest.mark.parametrize("regions", [0, 19, -3])
def test_grid_that_does_not_fit(attempt, regions):
    with pytest.raises(InputError, match=f"regions must be between 1 and 18 pixels wide here, got {regions}"):
        attempt(regions=regions)


@pytest.mark.parametrize(("regions", "came"), [(9.0, "float"), (GRID.float(), "torch.float32")])
def test_regions_that_are_no_integers(attempt, regions, came):
    with pytest.raises(InputError, match=f"a size in pixels, a name, or an integer map of region indices, got {came}"):
        attempt(regions=regions)


@pytest.mark.parametrize("regions", [GRID * 2, GRID + 1, GRID - 2], ids=["gaps", "no region 0", "below −1"])
def test_region_maps_with_gaps(attempt, regions):
    for given in (regions, torch.stack([GRID, regions])):
        with pytest.raises(InputError, match="regions must be numbered 0 … R − 1 without gaps"):
            attempt(regions=given)


def test_region_map_of_another_shape(attempt):
    with pytest.raises(
        InputError, match=r"regions must have shape \(H, W\) = \(18, 18\) or \(N, H, W\) = \(2, 18, 18\)"
    ):
        attempt(regions=GRID[:9])


def test_region_map_without_regions(attempt):
    with pytest.raises(InputError, match="number of regions, 0"):
        attempt(regions=torch.full((18, 18), -1))


@pytest.mark.parametrize("order", [torch.tensor([[0, 4], [2, 3]]), torch.tensor([[0, -1], [2, 3]])])
def test_order_with_regions_out_of_range(attempt, order):
    with pytest.raises(InputError, match=r"order must name regions 0 … 3, got"):
        attempt(order=order)


def test_order_with_a_repeated_region(attempt):
    with pytest.raises(InputError, match="order must not name a region twice for the same image"):
        attempt(order=torch.tensor([[0, 1], [2, 2]]))


@pytest.mark.parametrize("order", [OWN[:1], OWN[0], OWN[:, :0], OWN[:, None].expand(2, 3, 2)])
def test_order_of_another_shape(attempt, order):
    with pytest.raises(
        InputError, match=r"order must have shape \(N, L\) or \(N, repeats, L\) with N = 2 and repeats = 2"
    ):
        attempt(order=order)


@pytest.mark.parametrize("ids", [["a"], ["a", "b", "c"], []])
def test_ids_of_another_length(attempt, ids):
    with pytest.raises(InputError, match=f"ids must name each of the 2 images, got {len(ids)}"):
        attempt(ids=ids)


@pytest.mark.parametrize("change", [lambda x: x * 2, lambda x: x - 1, lambda x: x * torch.nan])
def test_images_out_of_range(attempt, pictures, change):
    with pytest.raises(InputError, match=r"images must lie in \[0, 1\]"):
        attempt(images=change(pictures(2)))


@pytest.mark.parametrize("change", [lambda x: x[0], lambda x: x[:0], lambda x: (x * 255).byte()])
def test_images_that_are_no_batch(attempt, pictures, change):
    with pytest.raises(InputError, match=r"images must be a floating-point tensor of shape \(N, C, H, W\) with N ≥ 1"):
        attempt(images=change(pictures(2)))


def test_images_that_are_no_tensor(attempt, pictures):
    with pytest.raises(TypeError, match=r"images must be a torch.Tensor of shape \(N, C, H, W\), got ndarray"):
        attempt(images=pictures(2).numpy())


@pytest.mark.parametrize("targets", [torch.tensor([0]), torch.tensor([[0, 1]]), torch.tensor([0.0, 1.0])])
def test_targets_that_are_no_class_per_image(attempt, targets):
    with pytest.raises(InputError, match=r"targets must hold one class index per image, shape \(2,\), got"):
        attempt(targets=targets)


def test_negative_targets(attempt):
    with pytest.raises(InputError, match="targets must lie in 0 … "):
        attempt(targets=torch.tensor([-1, 0]))


class Spoilt(nn.Module):
    """NaN for every image, or only for those with a pixel that is not zero."""

    def __init__(self, *, always):
        super().__init__()
        self.always = always

    def forward(self, inputs):
        scores = inputs.flatten(1)[:, :3]
        return scores * torch.nan if self.always else scores + torch.log(-inputs.flatten(1).amax(dim=1, keepdim=True))


@pytest.mark.parametrize("always", [True, False])
def test_network_whose_scores_are_not_finite(heats, always):
    network = Network(Spoilt(always=always))
    with pytest.raises(InputError, match="the network's scores are not finite"):
        perturb(network, torch.zeros(1, 3, 18, 18), heats(1), targets=torch.tensor([0]))


def test_protocol_refuses_what_perturb_refuses():
    with pytest.raises(InputError, match="unknown replacement"):
        Protocol(replacement="none")
    with pytest.raises(InputError, match="repeats must be a whole number from 1 to 10,000"):
        Protocol(repeats=0)


class TestArguments:
    @pytest.mark.parametrize("targets", [torch.tensor([0, 4]), torch.tensor([99, 0])])
    def test_targets_beyond_the_classes(self, attempt, targets):
        with pytest.raises(InputError, match=f"targets must lie in 0 … 3, got 0 … {int(targets.max())}"):
            attempt(targets=targets)

    def test_negative_targets_name_the_classes(self, attempt):
        with pytest.raises(InputError, match="targets must lie in 0 … 3, got -1 … 0"):
            attempt(targets=torch.tensor([-1, 0]))

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int16])
    def test_targets_of_any_integer_type(self, attempt, dtype):
        expected, found = (attempt(targets=torch.tensor([0, 1], dtype=d)).scores for d in (torch.int64, dtype))
        assert torch.equal(expected, found)

    def test_targets_that_are_no_tensor(self, attempt):
        with pytest.raises((InputError, TypeError), match="targets must"):
            attempt(targets=[0, 1])

    @pytest.mark.parametrize("steps", [0, -1, 3])
    def test_steps_that_a_given_order_does_not_have(self, attempt, steps):
        with pytest.raises(InputError, match=r"steps must be between 1 and .* 2, got"):
            attempt(order=OWN, steps=steps)

    def test_order_that_is_no_integer(self, attempt):
        with pytest.raises(InputError, match="order must"):
            attempt(order=OWN + 0.5)

    @pytest.mark.parametrize("order", [OWN.tolist(), OWN.numpy(), None])
    def test_order_that_is_neither_name_nor_tensor(self, attempt, order):
        with pytest.raises((InputError, TypeError), match="order must"):
            attempt(order=order)

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int16])
    def test_region_maps_of_any_integer_type(self, attempt, dtype):
        expected, found = (attempt(regions=given).scores for given in (GRID, GRID.to(dtype)))
        assert torch.equal(expected, found)

    def test_regions_of_true(self, attempt):
        with pytest.raises(InputError, match="regions must be a size in pixels"):
            attempt(regions=True)

    def test_images_that_require_a_gradient(self, attempt, pictures):
        expected, found = attempt().scores, attempt(images=pictures(2).requires_grad_()).scores
        assert torch.equal(expected, found)

    def test_margin_of_a_single_class(self, linear, pictures, heats):
        network = linear(torch.ones(1, 3, 18, 18))
        with pytest.raises(InputError, match="margin"):
            perturb(network, pictures(1), heats(1), score="margin", repeats=1)

    @pytest.mark.parametrize("argument", ["steps", "repeats"])
    def test_counts_that_are_no_integers(self, attempt, argument):
        with pytest.raises((InputError, TypeError), match=f"{argument} must"):
            attempt(**{argument: 2.5})

    def test_ids_that_are_no_strings(self, attempt):
        with pytest.raises((InputError, TypeError), match="ids must"):
            attempt(ids=[1, 2])
