"""Replacement drop: trajectories in which the tokens of removed patches are left out."""

import pytest
import torch
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer

import heatproof as hp
from heatproof import InputError, perturb
from heatproof.defaults import CANDIDATES
from heatproof.network.tokens import Grid
from heatproof.options.studies import CompareOptions
from heatproof.perturbation import Protocol, order_bounds, single_region_drops
from heatproof.perturbation.engine import choose
from heatproof.perturbation.fitting import for_network
from heatproof.perturbation.patches import regions_of_patches, side_of_regions
from heatproof.perturbation.protocols import named, protocol_of
from heatproof.perturbation.regions import as_regions, grid
from heatproof.perturbation.scores import logit
from heatproof.studies.compare import wanted_comparison
from heatproof.studies.pilot import followed


class Mean(nn.Module):
    """Attention over patches of 4 pixels, and a mean over them: without a class token."""

    def __init__(self):
        super().__init__()
        self.patches, self.attention = nn.Conv2d(3, 16, 4, 4), nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        return self.head((tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]).mean(dim=1))


def network_of(make, dtype=torch.float64):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = make()
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.3)
    return hp.Network(module.to(dtype))


@pytest.fixture(scope="module")
def transformer():
    """16 patches of 8 pixels, and a class token."""
    return network_of(lambda: VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5))


@pytest.fixture(scope="module")
def averaging():
    """16 patches of 4 pixels, and nothing else."""
    return network_of(Mean)


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def masked_scores(network, images, targets, regions, order):
    """(L + 1,) scores of one image, step by step, with the keys of removed patches masked."""
    tokens = network.tokens(tuple(images.shape[1:]))
    (of_patches,) = regions_of_patches(regions[None], tokens.grid).flatten(start_dim=1)
    found = []
    for step in range(len(order) + 1):
        gone = torch.isin(of_patches, order[:step])
        logits = tokens.masked(network.inputs(images), (~gone).nonzero()[:, 0][None])
        found.append(logits[0, targets[0]])
    return torch.stack(found)


@pytest.mark.parametrize("side", [8, 16])
def test_each_step_equals_masked_keys(transformer, images, side):
    curves = perturb(transformer, images, images.sum(dim=1), replacement="drop", regions=side, steps="all", repeats=2)
    assert curves.steps == (32 // side) ** 2
    for number in range(3):
        one = slice(number, number + 1)
        expected = masked_scores(
            transformer, images[one], curves.targets[one], grid(32, 32, side), curves.orders[number, 0]
        )
        torch.testing.assert_close(curves.scores[number], expected.float().expand(2, -1))
    assert str(curves.engine) == "the tokens that are left at each step"


def test_the_untouched_image_has_the_network_s_own_score(images):
    network = network_of(lambda: VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5), torch.float32)
    curves = perturb(network, images, images.sum(dim=1), replacement="drop", regions=8, steps=1)
    assert torch.equal(curves.scores[:, 0, 0], logit(network.logits(images), curves.targets))


def test_batches_and_sampled_steps_change_nothing(transformer, images):
    given = {"replacement": "drop", "regions": 8, "steps": "all"}
    whole = perturb(transformer, images, images.sum(dim=1), **given)
    alone = [perturb(transformer, one[None], one[None].sum(dim=1), **given).scores for one in images]
    torch.testing.assert_close(torch.cat(alone), whole.scores)
    little = perturb(transformer, images, images.sum(dim=1), memory=2**20, **given)
    torch.testing.assert_close(little.scores, whole.scores)
    sampled = perturb(transformer, images, images.sum(dim=1), scored=4, **given)
    torch.testing.assert_close(sampled.scores, whole.scores.gather(2, sampled.scored))
    again = perturb(transformer, images, images.sum(dim=1), **given)
    assert torch.equal(again.scores, whole.scores)


def test_images_with_maps_of_their_own(transformer, images):
    """Halves and quarters: sequences of other lengths at the same step."""
    halves = torch.zeros(32, 32, dtype=torch.long)
    halves[:, 16:] = 1
    maps = torch.stack([halves, halves.t(), grid(32, 32, 16).clamp(max=1)])
    curves = perturb(transformer, images, images.sum(dim=1), replacement="drop", regions=maps, steps=1)
    for number in range(3):
        one = slice(number, number + 1)
        expected = masked_scores(transformer, images[one], curves.targets[one], maps[number], curves.orders[number, 0])
        torch.testing.assert_close(curves.scores[number, 0], expected.float())


def test_single_regions_and_bounds_are_those_of_the_curves(transformer, images):
    curves = perturb(transformer, images[:2], images[:2].sum(dim=1), replacement="drop", regions=16, steps="all")
    drops = single_region_drops(transformer, images[:2], curves)
    found = order_bounds(transformer, images[:2], curves)
    for number in range(2):
        one = slice(number, number + 1)
        scores = [
            masked_scores(transformer, images[one], curves.targets[one], grid(32, 32, 16), torch.tensor([region]))
            for region in range(4)
        ]
        expected = torch.stack([both[0] - both[1] for both in scores])
        torch.testing.assert_close(torch.from_numpy(drops[number])[0], expected, rtol=1e-4, atol=1e-5)
        aopc = (curves.scores[number, 0, 0] - curves.scores[number, 0]).mean().double()
        assert float(found.lower[number]) - 1e-6 <= float(aopc) <= float(found.upper[number]) + 1e-6


class TestRegions:
    @pytest.mark.parametrize(
        ("rows", "patch", "side"), [(14, 16, 32), (16, 14, 28), (8, 4, 4), (24, 16, 48), (4, 8, 8), (37, 14, 70)]
    )
    def test_by_themselves_about_eight_across(self, rows, patch, side):
        assert side_of_regions(Grid(rows, rows, patch, patch), (3, rows * patch, rows * patch)) == side

    def test_auto(self, transformer, images):
        protocol = for_network(Protocol(replacement="drop", regions="auto"), transformer, (3, 32, 32))
        assert (protocol.regions, protocol.steps) == (8, None)
        other = Protocol(replacement="blur", regions=9)
        assert for_network(other, transformer, (3, 32, 32)) is other

    @pytest.mark.parametrize("regions", [9, 4, "pixels", "relative-grid[across=3]", 12])
    def test_that_cut_through_patches_are_refused(self, transformer, images, regions):
        with pytest.raises(InputError, match=r"patches of the network, 8 × 8 pixels .* give regions=8 for"):
            perturb(transformer, images, images.sum(dim=1), replacement="drop", regions=regions)

    def test_superpixels_are_refused(self, transformer, images):
        pytest.importorskip("skimage")
        with pytest.raises(InputError, match="removes whole patches of the network"):
            perturb(transformer, images, images.sum(dim=1), replacement="drop", regions="slic", steps=1)

    def test_no_squares(self):
        with pytest.raises(InputError, match=r"patches are 8 × 4 pixels, no squares: give a map of regions"):
            side_of_regions(Grid(4, 8, 8, 4), (3, 32, 32))

    def test_patches_of_a_map(self):
        maps = as_regions(grid(6, 7, 2), torch.zeros(1, 3, 6, 7))  # the border of the last column is never removed
        found = regions_of_patches(maps, Grid(3, 3, 2, 2))
        assert found.tolist() == [[[0, 1, 2], [3, 4, 5], [6, 7, 8]]]


class TestFullRemoval:
    def test_leaves_a_class_token_that_saw_nothing(self, transformer, images):
        targets = torch.zeros(3, dtype=torch.long)
        curves = perturb(
            transformer, images, images.sum(dim=1), replacement="drop", regions=8, steps="all", targets=targets
        )
        last = curves.scores[:, 0, -1]
        torch.testing.assert_close(last, last[:1].expand(3))

    def test_of_a_mean_over_patches_stops_before_the_last(self, averaging):
        images = torch.rand(2, 3, 16, 16)
        for steps in ("all", None):
            curves = perturb(averaging, images, images.sum(dim=1), replacement="drop", regions=4, steps=steps)
            assert curves.steps == 15
        with pytest.raises(InputError, match=r"no token but those of patches, .* give a number of steps that leaves"):
            perturb(averaging, images, images.sum(dim=1), replacement="drop", regions=4, steps=16)

    def test_where_a_border_stays_all_regions_go(self, averaging):
        images, regions = torch.rand(2, 3, 16, 16), grid(16, 16, 4)
        regions[regions == 15] = -1
        curves = perturb(averaging, images, images.sum(dim=1), replacement="drop", regions=regions, steps="all")
        assert curves.steps == 15


class TestProtocols:
    def test_dropped_tokens(self):
        protocol = named("dropped-tokens")
        assert (protocol.regions, protocol.replacement, protocol.symmetric) == ("auto", "drop", True)

    @pytest.mark.parametrize("name", ["auto", "coarse-blur", "samek2017"])
    def test_drop_takes_the_network_s_patches_whatever_the_protocol(self, name):
        assert protocol_of(CompareOptions(replacement="drop"), name).regions == "auto"
        assert protocol_of(CompareOptions(replacement="drop", regions=16), name).regions == 16

    def test_engines(self, transformer, images):
        with pytest.raises(InputError, match="engine 'incremental' cannot follow replacement 'drop', which"):
            Protocol(replacement="drop", engine="incremental")
        engine, plan = choose(transformer, (3, 32, 32), grid(32, 32, 8)[None], engine="full", score=logit, drops=True)
        assert (engine.name, plan) == ("tokens", None)

    def test_regions_are_never_auto_without_it(self):
        with pytest.raises(InputError, match="unknown regions 'auto'"):
            Protocol(replacement="blur", regions="auto")


class TestStudies:
    def test_compare(self, transformer):
        images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        study = hp.compare(transformer, images, ["gradient-x-input"], replacement="drop", audit=2)
        assert (study.protocol.regions, study.protocol.replacement) == (8, "drop")
        assert study.work.engine.name == "tokens"
        assert "drop" in study.audit.removal
        last = study.morf["gradient-x-input"]
        assert float(last.removed_fraction[0, 0, -1]) == 1.0

    def test_with_a_network_that_needs_a_patch(self, averaging):
        images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        study = hp.compare(averaging, images, ["gradient-x-input"], protocol="dropped-tokens", audit=2)
        assert (study.protocol.regions, study.protocol.steps) == (4, 15)

    def test_beside_other_replacements_and_protocols(self, transformer, images):
        areas = hp.compare_replacements(transformer, images, ["drop", "uniform"], method="gradient-x-input", regions=8)
        assert list(areas.abpc) == ["drop", "uniform"]
        candidates = ["coarse-blur", "dropped-tokens"]
        study = hp.compare_protocols(transformer, images, ["gradient-x-input"], candidates=candidates)
        assert sorted(study.candidates) == candidates

    def test_its_forecast(self, transformer, images):
        forecast = hp.plan_comparison(transformer, images, ["gradient-x-input"], replacement="drop")
        assert "tokens: the tokens that are left at each step" in str(forecast)

    def test_a_convolutional_network_is_refused(self, convolutional):
        images = torch.rand(2, 3, 18, 18)
        with pytest.raises(
            InputError, match=r"'drop' .*, and cannot on Sequential: patches of 5 × 5 positions that overlap"
        ):
            hp.compare(convolutional(), images, ["gradient-x-input"], replacement="drop")

    def test_is_tried_on_the_pilot_of_a_transformer(self, transformer, convolutional):
        wanted = wanted_comparison(CompareOptions(), ["gradient-x-input"])
        assert "dropped-tokens" in followed(wanted, transformer, (3, 32, 32)).candidates
        assert tuple(followed(wanted, convolutional(), (3, 18, 18)).candidates) == CANDIDATES
        images = torch.rand(36, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        study = hp.compare(transformer, images, ["gradient-x-input"], audit=0)
        assert "dropped-tokens" in [one.name for one in study.choice.candidates]
