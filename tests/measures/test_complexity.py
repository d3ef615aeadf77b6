"""File sizes, entropy and Gini coefficient against hand computations, closed forms and other libraries."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from heatproof.errors import InputError
from heatproof.measures.complexity import JPEG, PNG, encoders, entropy, gini, jpeg_size, png_size


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def grey(rng, n=3, height=20, width=31):
    return rng.integers(0, 256, (n, height, width), dtype=np.uint8)


# Entropy


@pytest.mark.parametrize(
    ("counts", "bits"),
    [((8,), 0), ((4, 4), 1), ((2, 2, 2, 2), 2), ((4, 2, 1, 1), 1.75), ((6, 2), 2 - 0.75 * math.log2(3))],
)
def test_entropy_by_hand(counts, bits):
    levels = np.repeat(np.arange(len(counts), dtype=np.uint8) * 60, counts)
    np.testing.assert_allclose(entropy(levels.reshape(1, 2, 4)), [bits], atol=1e-12)


def test_all_levels_equally_often_are_eight_bits():
    np.testing.assert_allclose(entropy(np.arange(256, dtype=np.uint8).reshape(1, 16, 16)), [8])


def test_entropy_does_not_care_where_pixels_are_or_what_levels_are_called(rng):
    pictures = grey(rng) // 32
    shuffled = rng.permuted(pictures.reshape(3, -1), axis=1).reshape(pictures.shape)
    np.testing.assert_allclose(entropy(shuffled), entropy(pictures))
    np.testing.assert_allclose(entropy(rng.permutation(256).astype(np.uint8)[pictures]), entropy(pictures))


def test_entropy_agrees_with_scikit_image(rng):
    measure = pytest.importorskip("skimage.measure")
    pictures = (grey(rng).astype(float) ** 2 / 256).astype(np.uint8)
    np.testing.assert_allclose(entropy(pictures), [measure.shannon_entropy(picture) for picture in pictures])


def test_colours_become_grey_by_their_luma(rng):
    pictures = rng.integers(0, 256, (2, 9, 7, 3), dtype=np.uint8)
    expected = np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in pictures])
    luma = pictures @ np.array([0.299, 0.587, 0.114])
    assert np.abs(expected - luma).max() < 1
    np.testing.assert_array_equal(entropy(pictures), entropy(expected))


# File sizes


@pytest.mark.parametrize(("measure", "settings"), [(png_size, PNG), (jpeg_size, JPEG)])
def test_a_size_is_that_of_the_file(tmp_path, rng, measure, settings):
    pictures = rng.integers(0, 256, (2, 30, 20, 3), dtype=np.uint8)
    sizes = []
    for picture in pictures:
        Image.fromarray(picture).save(tmp_path / "file", **settings)
        sizes.append((tmp_path / "file").stat().st_size / 1000)
    assert measure(pictures).tolist() == sizes


def test_png_files_hold_the_very_pixels_and_noise_cannot_be_compressed(rng):
    pictures = rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pictures[0]).save(file, **PNG)
    np.testing.assert_array_equal(np.asarray(Image.open(file)), pictures[0])
    assert 64 * 64 * 3 / 1000 < png_size(pictures)[0] < 64 * 64 * 3 / 1000 * 1.02


def test_jpeg_has_quality_90_and_halved_colours(rng):
    file, expected = io.BytesIO(), io.BytesIO()
    picture = Image.fromarray(grey(rng, n=1)[0]).convert("RGB")
    picture.save(file, **JPEG)
    picture.save(expected, "JPEG", quality=90, subsampling=2)
    assert file.getvalue() == expected.getvalue()


@pytest.mark.parametrize("measure", [png_size, jpeg_size, entropy])
def test_structure_is_simpler_than_noise_and_emptiness_simpler_still(rng, measure):
    noise = grey(rng, n=1, height=64, width=64)
    structure = np.zeros_like(noise)
    structure[:, 20:40, 20:40] = 200
    empty = np.zeros_like(noise)
    assert measure(empty)[0] < measure(structure)[0] < measure(noise)[0]


@pytest.mark.parametrize("measure", [png_size, jpeg_size, entropy])
def test_pictures_are_measured_one_by_one(rng, measure):
    pictures = grey(rng)
    assert measure(pictures).tolist() == [measure(pictures[i : i + 1])[0] for i in range(3)]


@pytest.mark.parametrize(
    "pictures", [np.zeros((2, 4, 4)), np.zeros((4, 4), np.uint8), np.zeros((1, 4, 4, 4), np.uint8)]
)
@pytest.mark.parametrize("measure", [png_size, jpeg_size, entropy])
def test_what_is_no_picture(measure, pictures):
    with pytest.raises(InputError, match=r"pictures must be uint8 of shape \(N, H, W, 3\) or \(N, H, W\), got"):
        measure(pictures)


def test_the_encoders_are_named():
    described = encoders()
    assert described["jpeg"]["quality"] == 90
    assert described["versions"]["pil"]


# Gini coefficient


def slow_gini(heatmap):
    """Half the mean absolute difference of all pairs, relative to the mean."""
    sizes = np.abs(heatmap).ravel()
    return np.abs(sizes[:, None] - sizes[None]).mean() / (2 * sizes.mean())


def test_gini_is_half_the_relative_mean_difference(rng):
    heatmaps = rng.standard_normal((4, 6, 7))
    np.testing.assert_allclose(gini(heatmaps), [slow_gini(heatmap) for heatmap in heatmaps])


def test_gini_by_hand():
    heatmaps = np.array(
        [[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 9.0]], [[2.0, -2.0], [2.0, 2.0]], np.zeros((2, 2))]
    )
    np.testing.assert_allclose(gini(heatmaps), [0.25, 0.75, 0, 0])


def test_gini_ignores_scale_sign_and_place(rng):
    heatmaps = rng.standard_normal((3, 8, 9)).astype(np.float32)
    np.testing.assert_allclose(gini(-1e-6 * heatmaps), gini(heatmaps), rtol=1e-6)
    np.testing.assert_allclose(gini(heatmaps[:, ::-1].swapaxes(1, 2)), gini(heatmaps))


def test_gini_agrees_with_quantus(rng):
    quantus = pytest.importorskip("quantus")
    heatmaps = rng.standard_normal((3, 12, 12))
    metric = quantus.Sparseness(disable_warnings=True)
    found = metric.evaluate_batch(x_batch=heatmaps, a_batch=np.abs(heatmaps))
    np.testing.assert_allclose(gini(heatmaps), found, rtol=1e-5)  # it adds 1e-7 to every pixel


@pytest.mark.parametrize("heatmaps", [np.zeros((4, 4)), np.zeros((0, 4, 4)), np.full((1, 2, 2), np.nan)])
def test_what_is_no_heatmap(heatmaps):
    with pytest.raises(InputError, match=r"heatmaps must be finite and have shape \(N, H, W\), got"):
        gini(heatmaps)
