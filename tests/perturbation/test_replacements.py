"""Replacement images, one after the other: closed forms, moments, and what they refuse."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy import stats

from heatproof import InputError, perturb
from heatproof.perturbation import Protocol, Statistics
from heatproof.perturbation.dirichlet import LEAST
from heatproof.perturbation.replacing import replacement_images
from heatproof.randomness import identify


def made(images, replacement, *, repeats=1, seed=0, of=None):
    """(N, repeats, C, H, W) replacement images; fitted to the data set ``of``, if they are fitted to one."""
    protocol = Protocol(replacement=replacement, repeats=repeats, seed=seed).fitted(images if of is None else of)
    return replacement_images(images, protocol, identify(images))


def photographs(count, channels=3, height=6, width=7, seed=0):
    """(N, C, H, W) whose mean and spread differ from place to place, and whose channels go together."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.rand(channels, height, width, generator=generator)
    light = torch.rand(count, 1, 1, 1, generator=generator) * torch.rand(1, height, width, generator=generator)
    detail = torch.rand(count, channels, height, width, generator=generator)
    return (0.3 * places + 0.4 * light + 0.3 * detail).clamp(0, 1)


class TestStatistics:
    def test_by_hand(self):
        images = torch.tensor([0.0, 0.5, 1.0])[:, None, None, None].expand(3, 2, 1, 2)
        found = Statistics.of(images)
        torch.testing.assert_close(found.mean, torch.full((2, 1, 2), 0.5))
        torch.testing.assert_close(found.std, torch.full((2, 1, 2), (1 / 6) ** 0.5))
        assert (found.count, found.source) == (3, "the images of this run")

    def test_equal_the_definition(self):
        images = photographs(150)
        found = Statistics.of(images)
        torch.testing.assert_close(found.mean, images.double().mean(dim=0).float())
        torch.testing.assert_close(found.std, images.double().std(dim=0, correction=0).float())

    def test_equal_images_have_no_spread_at_all(self):
        found = Statistics.of(photographs(1).expand(9, -1, -1, -1))
        torch.testing.assert_close(found.std, torch.zeros_like(found.std))

    def test_the_order_of_images_changes_no_bit(self):
        images = photographs(150)
        shuffled = images[torch.randperm(150, generator=torch.Generator().manual_seed(0))]
        one, other = Statistics.of(images), Statistics.of(shuffled)
        assert torch.equal(one.mean, other.mean)
        assert torch.equal(one.std, other.std)
        assert one.images_blake2b == other.images_blake2b
        assert Statistics.of(images[1:]).images_blake2b != one.images_blake2b

    def test_survive_a_file_with_their_provenance(self, tmp_path):
        one = Statistics.of(photographs(20), source="ILSVRC2012, the first 20")
        other = Statistics.read(one.save(tmp_path / "mean.safetensors"))
        assert torch.equal(one.mean, other.mean)
        assert torch.equal(one.std, other.std)
        assert one.describe() == other.describe()
        assert str(other) == "ILSVRC2012, the first 20 (20 images)"

    def test_files_that_cannot_be_used(self, tmp_path):
        path = tmp_path / "mean.safetensors"
        with pytest.raises(InputError, match=r"there is no file '.*mean.safetensors' with statistics"):
            Statistics.read(path)
        path.write_bytes(b"no tensors")
        with pytest.raises(InputError, match="is not a safetensors file that holds 'mean' and 'std'"):
            Statistics.read(path)
        save_file({"mean": torch.zeros(3, 4, 4)}, path)
        with pytest.raises(InputError, match="is not a safetensors file that holds 'mean' and 'std'"):
            Statistics.read(path)
        save_file({"mean": torch.zeros(3, 4, 4), "std": torch.zeros(3, 4, 5)}, path)
        with pytest.raises(InputError, match=r"must have shape \(C, H, W\) both, got \(3, 4, 4\) and \(3, 4, 5\)"):
            Statistics.read(path)
        for bad in (torch.full((3, 4, 4), 104.0), torch.full((3, 4, 4), torch.nan)):
            save_file({"mean": bad, "std": torch.zeros(3, 4, 4)}, path)
            with pytest.raises(InputError, match=r"'mean' in '.*' must lie in \[0, 1\], .* divide by 255"):
                Statistics.read(path)

    def test_of_images_of_another_size(self, convolutional, pictures, heats):
        with pytest.raises(InputError, match=r"of images of shape \(C, H, W\) = \(3, 18, 18\), got \(3, 6, 7\)"):
            perturb(
                convolutional(), pictures(2), heats(2), replacement="constant", statistics=Statistics.of(photographs(2))
            )

    @pytest.mark.parametrize("replacement", ["constant", "dirichlet"])
    def test_perturb_takes_those_of_all_its_images(self, convolutional, pictures, heats, replacement, tmp_path):
        """Whatever the block size: the same as with statistics that are given, or read from a file."""
        network, images, heatmaps = convolutional(), pictures(5), heats(5)
        options = {"replacement": replacement, "repeats": 2}
        statistics = Statistics.of(images)
        expected = perturb(network, images, heatmaps, statistics=statistics, **options)
        for given in (None, statistics.save(tmp_path / "mean.safetensors")):
            found = perturb(network, images, heatmaps, memory=1, statistics=given, **options)
            torch.testing.assert_close(found.scores, expected.scores, rtol=1e-6, atol=1e-6)
        backwards = perturb(network, images.flip(0), heatmaps.flip(0), **options)
        torch.testing.assert_close(backwards.scores.flip(0), expected.scores, rtol=1e-6, atol=1e-6)
        other = perturb(network, images, heatmaps, statistics=Statistics.of(1 - images), **options)
        assert not torch.allclose(other.scores, expected.scores, rtol=1e-3, atol=1e-3)


class TestDirichlet:
    DRAWS = 4000

    def drawn(self, data_set):
        """(draws, C, H, W) of one image of the data set."""
        return made(data_set[:1], "dirichlet", repeats=self.DRAWS, of=data_set)[0].double()

    @pytest.mark.parametrize("channels", [1, 3])
    def test_mean_and_spread_are_the_data_s_at_each_location(self, channels):
        """Means channel by channel, variances added up over channels, within five standard errors."""
        data_set = photographs(200, channels)
        drawn, data = self.drawn(data_set), data_set.double()
        error = drawn.std(dim=0) / self.DRAWS**0.5
        assert bool(((drawn.mean(dim=0) - data.mean(dim=0)).abs() < 5 * error).all())
        variances, wanted = (values.var(dim=0, correction=0).sum(dim=0) for values in (drawn, data))
        torch.testing.assert_close(variances, wanted, rtol=0.15, atol=0)
        torch.testing.assert_close(variances.mean(), wanted.mean(), rtol=0.02, atol=0)
        assert float(wanted.max() / wanted.min()) > 1.5  # the data's spread does differ from place to place

    def test_each_channel_is_beta_distributed(self):
        """With μ and α_0 a channel is Beta(α_0 μ / (1 − μ), α_0); here all channels have the same moments."""
        values = torch.tensor([0.2, 0.4, 0.5, 0.9])[:, None, None, None].expand(4, 3, 1, 1)
        mean, variance = 0.5, float(values[:, 0].var(correction=0))
        total = mean * (1 - mean) / variance - 1  # of the two parameters of a Beta distribution with these moments
        drawn = self.drawn(values)[:, :, 0, 0]
        for channel in drawn.T:
            assert stats.kstest(channel.numpy(), stats.beta(mean * total, (1 - mean) * total).cdf).pvalue > 1e-3

    def test_values_are_colours_that_go_together(self):
        drawn = self.drawn(photographs(50))
        assert 0 <= float(drawn.min()) <= float(drawn.max()) <= 1
        assert 0 <= float(drawn.sum(dim=1).min()) <= float(drawn.sum(dim=1).max()) <= 3
        correlation = torch.corrcoef(drawn[:, :, 2, 3].T)
        assert float(correlation[0, 1]) > 0.2

    def test_pixels_are_independent(self):
        drawn = self.drawn(photographs(50))
        neighbours = torch.corrcoef(torch.stack([drawn[:, 0, 2, 3], drawn[:, 0, 2, 4], drawn[:, 0, 3, 3]]))
        assert float((neighbours - torch.eye(3)).abs().max()) < 0.08

    @pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
    def test_data_without_spread_is_its_mean(self, value):
        data_set = torch.full((2, 3, 4, 4), value)
        torch.testing.assert_close(made(data_set, "dirichlet"), data_set[:, None], rtol=0, atol=1e-3)

    def test_data_of_extremes_only_has_nearly_their_spread(self):
        """0 or 1 with probability ½: the widest spread that there is, which α_0 → 0 would reach."""
        data_set = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 4, 4)
        drawn = self.drawn(data_set)
        assert bool(torch.isfinite(drawn).all())
        assert float(drawn.mean()) == pytest.approx(0.5, abs=0.02)
        assert float(drawn.var()) == pytest.approx(0.25 / (2 * LEAST + 1), rel=0.02)


def test_constant_is_the_mean_image(pictures):
    images = pictures(4)
    expected = images.double().mean(dim=0, keepdim=True).float().expand(4, -1, -1, -1)
    torch.testing.assert_close(made(images, "constant")[:, 0], expected)


class TestBlur:
    @pytest.mark.parametrize("sigma", [1, 3.0])
    def test_equals_the_sum_over_a_mirrored_image(self, pictures, sigma):
        """Σ_d exp(−d²/2σ²) x(p + d), normalised, to four σ; row by row and column by column."""
        images = pictures(1, 9, 12, dtype=torch.float64)
        reach = int(4 * sigma + 0.5)
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        weights /= weights.sum()
        expected = images[0].numpy().copy()
        for axis in (1, 2):
            padded = np.pad(expected, [(reach, reach) if a == axis else (0, 0) for a in range(3)], mode="symmetric")
            expected = np.apply_along_axis(lambda line: np.convolve(line, weights, mode="valid"), axis, padded)
        found = made(images, f"blur[sigma={sigma}]")[0, 0].numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-10)

    def test_sigma_is_three_pixels_by_default(self, pictures):
        assert torch.equal(made(pictures(1), "blur"), made(pictures(1), "blur[sigma=3]"))

    def test_keeps_a_constant_image_and_the_mean(self, pictures):
        torch.testing.assert_close(made(torch.full((1, 3, 18, 18), 0.3), "blur")[:, 0], torch.full((1, 3, 18, 18), 0.3))
        images = pictures(2, dtype=torch.float64)
        torch.testing.assert_close(made(images, "blur")[:, 0].mean(dim=(2, 3)), images.mean(dim=(2, 3)))

    @pytest.mark.parametrize("sigma", [0, -1])
    def test_refuses_a_width_that_is_none(self, pictures, sigma):
        with pytest.raises(InputError, match=f"sigma must be a number from 0.01 to 1000, got {sigma}"):
            made(pictures(1), f"blur[sigma={sigma}]")


@pytest.mark.parametrize(("replacement", "value"), [("black", 0.0), ("grey", 0.5)])
def test_single_colours(pictures, replacement, value):
    assert torch.equal(made(pictures(2), replacement), torch.full((2, 1, 3, 18, 18), value))


def test_mean_colour_is_the_image_s_own(pictures):
    images = pictures(3)
    expected = images.mean(dim=(2, 3), keepdim=True).expand_as(images)
    torch.testing.assert_close(made(images, "mean-colour")[:, 0], expected)


class TestHistogram:
    def test_draws_pixels_with_all_channels(self, pictures):
        images = pictures(2, 8, 9)
        for image, drawn in zip(images, made(images, "histogram")[:, 0], strict=True):
            own = {tuple(pixel) for pixel in image.flatten(1).T.tolist()}
            assert {tuple(pixel) for pixel in drawn.flatten(1).T.tolist()} <= own

    def test_every_pixel_is_drawn_alike(self):
        image = torch.arange(12.0).reshape(1, 1, 3, 4) / 12
        drawn = made(image, "histogram", repeats=1000)
        counts = torch.bincount((drawn.flatten() * 12).round().long(), minlength=12)
        expected = 1000.0
        assert float(((counts - expected) ** 2 / expected).sum()) < 31.3  # χ² with 11 degrees, 99.9 %
        assert not torch.equal(drawn[0, 0], drawn[0, 1])


@pytest.mark.parametrize("replacement", ["dirichlet", "constant", "blur", "mean-colour", "histogram", "grey"])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_number_of_channels(replacement, channels):
    images = photographs(3, channels)
    assert made(images, replacement).shape == (3, 1, channels, 6, 7)
