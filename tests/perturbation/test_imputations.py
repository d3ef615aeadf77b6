"""Imputations: what is removed is filled from what is left, at every step anew."""

import sys

import numpy as np
import pytest
import torch

from heatproof import InputError, compare, perturb
from heatproof.perturbation import REPLACEMENTS, Protocol
from heatproof.perturbation.replacements import asks_for
from heatproof.perturbation.replacing import imputation
from heatproof.randomness import identify
from heatproof.studies import plan_comparison

IMPUTATIONS = [name for name in REPLACEMENTS if asks_for(name, "removed")]


def filled(images, removed, name, *, repeat=0, repeats=2, seed=0, ids=None):
    """(N, C, H, W) with the removed pixels (N, H, W) filled."""
    protocol = Protocol(replacement=name, repeats=repeats, seed=seed)
    impute = imputation(protocol, ids or identify(images))
    return impute(images, removed, torch.arange(len(images)) * repeats + repeat)


def masks(count, height=18, width=18, share=0.4, seed=0):
    return torch.rand(count, height, width, generator=torch.Generator().manual_seed(seed)) < share


def test_there_are_imputations():
    assert {"road", "inpaint"} == set(IMPUTATIONS)


@pytest.fixture(autouse=True)
def _opencv(request):
    if "name" in request.fixturenames and request.getfixturevalue("name") == "inpaint":
        pytest.importorskip("cv2", reason="OpenCV is not installed (heatproof[inpaint])")


@pytest.mark.parametrize("name", IMPUTATIONS)
class TestEveryImputation:
    def test_changes_what_is_removed_and_nothing_else(self, pictures, name):
        images, removed = pictures(3, 20, 31), masks(3, 20, 31)
        found = filled(images, removed, name)
        assert found.shape == images.shape
        assert found.dtype == images.dtype
        assert torch.equal(found.movedim(1, 3)[~removed], images.movedim(1, 3)[~removed])
        assert float((found != images).movedim(1, 3)[removed].float().mean()) > 0.9

    def test_does_not_look_at_what_is_removed(self, pictures, name):
        images, removed = pictures(2), masks(2)
        others = torch.where(removed[:, None], 1 - images, images)
        ids = identify(images)
        assert torch.equal(filled(images, removed, name, ids=ids), filled(others, removed, name, ids=ids))

    def test_the_same_in_any_batch_and_order(self, pictures, name):
        images, removed = pictures(3), masks(3)
        alone = torch.cat([filled(images[i : i + 1], removed[i : i + 1], name) for i in range(3)])
        assert torch.equal(filled(images, removed, name), alone)
        turned = [2, 0, 1]
        assert torch.equal(filled(images[turned], removed[turned], name), alone[turned])

    def test_nothing_removed_is_the_image(self, pictures, name):
        assert torch.equal(filled(pictures(2), torch.zeros(2, 18, 18, dtype=torch.bool), name), pictures(2))

    @pytest.mark.parametrize("channels", [1, 2, 3])
    def test_everything_removed_is_near_the_mean_colour(self, name, channels):
        images = torch.rand(2, channels, 9, 14, generator=torch.Generator().manual_seed(0))
        found = filled(images, torch.ones(2, 9, 14, dtype=torch.bool), name)
        torch.testing.assert_close(found, images.mean(dim=(2, 3), keepdim=True).expand_as(found), rtol=0, atol=0.06)

    def test_a_plane_of_one_colour_is_restored(self, name):
        images = torch.full((1, 3, 18, 18), 0.4)
        torch.testing.assert_close(filled(images, masks(1), name), images, rtol=0, atol=0.06)

    def test_one_pixel_that_is_left_gives_the_colour(self, name):
        images = torch.zeros(1, 3, 12, 15)
        removed = torch.ones(1, 12, 15, dtype=torch.bool)
        images[0, :, 4, 6], removed[0, 4, 6] = torch.tensor([0.2, 0.4, 0.8]), False
        expected = torch.tensor([0.2, 0.4, 0.8])[:, None, None].expand(3, 12, 15)
        torch.testing.assert_close(filled(images, removed, name)[0], expected, rtol=0, atol=0.06)

    def test_images_are_left_as_they_are(self, pictures, name):
        images = pictures(2)
        filled(images, masks(2), name)
        assert torch.equal(images, pictures(2))

    def test_curves_equal_a_slow_loop(self, convolutional, pictures, heats, loop, name):
        """Step k evaluates the untouched image, filled where the first k regions are gone."""
        network, images, heatmaps = convolutional(), pictures(2, 20, 31, dtype=torch.float64), heats(2, 20, 31)
        curves = perturb(network, images, heatmaps, replacement=name, repeats=2)
        regions = torch.tensor(loop.grid(20, 31, 9))
        for n in range(2):
            walk = loop.ordered(heatmaps[n], regions.tolist(), "morf")
            for repeat in range(2):
                for k in range(len(walk) + 1):
                    removed = torch.isin(regions, torch.tensor(walk[:k], dtype=torch.int64))
                    image = filled(images[n : n + 1], removed[None], name, repeat=repeat)
                    expected = network.module(image)[0, curves.targets[n]]
                    assert float(curves.scores[n, repeat, k]) == pytest.approx(float(expected), abs=1e-5)

    def test_auto_takes_the_full_engine_and_says_why(self, convolutional, pictures, heats, name):
        curves = perturb(convolutional(), pictures(2), heats(2), replacement=name, repeats=1)
        assert curves.engine.name == "full"
        assert "fills all removed pixels anew at every step" in curves.engine.reason

    @pytest.mark.parametrize("ask", [compare, plan_comparison])
    def test_the_incremental_engine_is_refused(self, convolutional, pictures, name, ask):
        with pytest.raises(
            InputError, match=f"'incremental' cannot follow replacement '{name}'.* choose engine 'full'"
        ):
            ask(convolutional(), pictures(2), ["sensitivity-l2"], replacement=name, engine="incremental")

    def test_compare_and_plan_take_it(self, convolutional, pictures, name):
        network, images = convolutional(torch.float32), pictures(3)
        study = compare(network, images, ["sensitivity-l2"], replacement=name, steps=2, protocol="samek2017")
        assert study.work.engine.name == "full"
        forecast = plan_comparison(network, images, ["sensitivity-l2"], replacement=name, steps=2, protocol="samek2017")
        assert forecast.engine.name == "full"
        assert "anew at every step" in str(forecast)


def dense(image, removed):
    """ROAD's equations written out pixel by pixel, and solved by a dense solver: (C, H, W) without noise."""
    channels, height, width = image.shape
    gone = [(i, j) for i in range(height) for j in range(width) if removed[i, j]]
    matrix, known = np.zeros((len(gone), len(gone))), np.zeros((len(gone), channels))
    for row, (i, j) in enumerate(gone):
        total = 0.0
        for di in (-1, 0, 1):
            for dj in (-1, 0, 1):
                y, x = i + di, j + dj
                if (di, dj) == (0, 0) or not (0 <= y < height and 0 <= x < width):
                    continue
                weight = 1 / 6 if di == 0 or dj == 0 else 1 / 12
                total += weight
                if removed[y, x]:
                    matrix[row, gone.index((y, x))] -= weight
                else:
                    known[row] += weight * image[:, y, x]
        matrix[row, row] += total
    result = image.copy()
    if gone:
        result[:, [i for i, _ in gone], [j for _, j in gone]] = np.linalg.solve(matrix, known).T
    return result


class TestRoad:
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
    @pytest.mark.parametrize(("channels", "height", "width"), [(3, 9, 9), (1, 6, 11), (4, 13, 5), (3, 1, 8), (2, 7, 2)])
    def test_equals_a_dense_solve(self, channels, height, width, share):
        images = torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        removed = masks(2, height, width, share, seed=2)
        removed[:, 0, 0] = False  # something is left
        found = filled(images, removed, "road[noise=0]")
        expected = np.stack([dense(i.numpy(), r.numpy()) for i, r in zip(images, removed, strict=True)])
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-12)

    def test_single_pixels_by_hand(self):
        """Inside: 1/6 of direct and 1/12 of diagonal neighbours; in a corner 1/6, 1/6, 1/12, divided by their sum."""
        image = torch.arange(9, dtype=torch.float64).reshape(1, 1, 3, 3) / 10
        inside, corner = torch.zeros(2, 1, 3, 3, dtype=torch.bool)
        inside[0, 1, 1], corner[0, 0, 0] = True, True
        image[0, 0, 0, 1] = 0.7
        centre = (0.7 + 0.3 + 0.5 + 0.7) / 6 + (0.0 + 0.2 + 0.6 + 0.8) / 12
        assert float(filled(image, inside, "road[noise=0]")[0, 0, 1, 1]) == pytest.approx(centre)
        edge = (0.7 / 6 + 0.3 / 6 + 0.4 / 12) / (5 / 12)
        assert float(filled(image, corner, "road[noise=0]")[0, 0, 0, 0]) == pytest.approx(edge)

    def test_a_ramp_is_restored(self):
        """A linear image solves the system where no removed pixel touches the border."""
        ramp = torch.arange(12).double()[:, None] * 0.03 + torch.arange(15).double() * 0.02
        ramp = ramp.expand(1, 3, 12, 15)
        removed = torch.zeros(1, 12, 15, dtype=torch.bool)
        removed[:, 2:9, 3:13] = True
        torch.testing.assert_close(filled(ramp, removed, "road[noise=0]"), ramp, rtol=0, atol=1e-10)

    def test_noise_is_normal_with_a_standard_deviation_of_a_hundredth(self):
        images, removed = torch.rand(1, 3, 60, 60, dtype=torch.float64), masks(1, 60, 60, 0.7)
        noise = (filled(images, removed, "road") - filled(images, removed, "road[noise=0]")).movedim(1, 3)[removed]
        # "road" and "road[noise=0]" have addresses of their own; without noise that makes no difference
        assert noise.shape[0] > 2000
        assert float(noise.mean()) == pytest.approx(0, abs=0.001)
        assert float(noise.std()) == pytest.approx(0.01, rel=0.05)
        correlation = torch.corrcoef(noise.T) - torch.eye(3)
        assert float(correlation.abs().max()) < 0.08

    def test_noise_depends_on_seed_image_and_repeat_alone(self, pictures):
        images, removed = pictures(2), masks(2)
        one = filled(images, removed, "road")
        assert torch.equal(one, filled(images, removed, "road"))
        assert not torch.equal(one, filled(images, removed, "road", repeat=1))
        assert not torch.equal(one, filled(images, removed, "road", seed=1))
        more = removed | masks(2, seed=9)
        noise = filled(images, more, "road") - filled(images, more, "road[noise=0]")
        same = one - filled(images, removed, "road[noise=0]")
        kept = removed[:, None].expand_as(noise)
        torch.testing.assert_close(noise[kept], same[kept], rtol=0, atol=1e-6)  # a pixel keeps its noise

    def test_noise_stays_within_images(self):
        for value in (0.0, 1.0):
            found = filled(torch.full((1, 3, 18, 18), value), masks(1), "road[noise=0.1]")
            assert 0 <= float(found.min()) < float(found.max()) <= 1

    def test_refuses_negative_noise(self, pictures):
        with pytest.raises(InputError, match="noise must be a number from 0 to 10, got -1"):
            filled(pictures(1), masks(1), "road[noise=-1]")

    def test_large_images_are_solved_quickly_enough(self):
        images, removed = torch.rand(1, 3, 227, 227), torch.zeros(1, 227, 227, dtype=torch.bool)
        removed[:, 20:110, 20:110] = True
        found = filled(images, removed, "road[noise=0]").double()
        inner = found[..., 20:110, 20:110]
        weights = torch.tensor([[1 / 12, 1 / 6, 1 / 12], [1 / 6, 0, 1 / 6], [1 / 12, 1 / 6, 1 / 12]]).double()
        means = torch.nn.functional.conv2d(found[0, :, None], weights[None, None])[:, 0, 19:109, 19:109]
        torch.testing.assert_close(inner[0], means, rtol=0, atol=1e-6)


class TestInpaint:
    def test_equals_opencv_where_pixels_are_removed(self, pictures):
        cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed (heatproof[inpaint])")
        images, removed = pictures(1), masks(1)
        left = images[0][:, ~removed[0]].mean(dim=1)[:, None, None]
        known = torch.where(removed[0], left, images[0])
        expected = cv2.inpaint(
            (known * 255).round().byte().permute(1, 2, 0).numpy().copy(),
            removed[0].numpy().astype(np.uint8), 3, cv2.INPAINT_TELEA,
        )  # fmt: skip
        found = (filled(images, removed, "inpaint")[0] * 255).round().permute(1, 2, 0)
        gone = removed[0].numpy()
        np.testing.assert_array_equal(found.numpy()[gone], expected[gone])

    def test_without_opencv_it_says_what_to_install(self, pictures, monkeypatch):
        monkeypatch.setitem(sys.modules, "cv2", None)
        with pytest.raises(InputError, match=r'needs OpenCV.* not installed: pip install "heatproof\[inpaint\]"'):
            filled(pictures(1), masks(1), "inpaint")

    def test_refuses_a_radius_that_is_none(self, pictures):
        pytest.importorskip("cv2", reason="OpenCV is not installed (heatproof[inpaint])")
        with pytest.raises(InputError, match="radius must be a whole number from 1 to 100, got 0"):
            filled(pictures(1), masks(1), "inpaint[radius=0]")
