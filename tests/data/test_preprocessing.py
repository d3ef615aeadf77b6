import json

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from heatproof.data import PRESETS, Preprocessing
from heatproof.errors import InputError


def noise(width, height, mode="RGB"):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("size", [(61, 40), (40, 61), (50, 50)], ids=str)
@pytest.mark.parametrize("resize", [None, 32, (33, 47)], ids=str)
@pytest.mark.parametrize("crop", [None, 31, (20, 29)], ids=str)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_fit_is_exactly_what_torchvision_does(size, resize, crop, interpolation):
    mode = transforms.InterpolationMode(interpolation)
    steps = [transforms.Resize(resize, mode)] if resize else []
    steps += [transforms.CenterCrop(crop)] if crop else []
    expected = transforms.Compose(steps)(noise(*size))
    fitted = Preprocessing(resize=resize, crop=crop, interpolation=interpolation).fit(noise(*size))
    np.testing.assert_array_equal(np.asarray(fitted), np.asarray(expected))


def test_heights_come_first():
    assert Preprocessing(resize=(20, 30)).fit(noise(50, 50)).size == (30, 20)  # Pillow says (width, height)
    assert Preprocessing(crop=(20, 30)).fit(noise(50, 50)).size == (30, 20)


def test_fit_refuses_to_pad():
    with pytest.raises(InputError, match=r"as large as the crop, 50 x 50, got 40 x 60 \(height x width\); set resize"):
        Preprocessing(crop=50).fit(noise(60, 40))


def test_fit_wants_rgb():
    with pytest.raises(InputError, match="expected an RGB picture, got mode 'L'; read it with read_picture"):
        Preprocessing().fit(noise(40, 40, "L"))


def test_a_ribbon_is_not_blown_up():
    with pytest.raises(InputError, match=r"after resizing, got 10000 x 12500000 from 8 x 10000 "):
        Preprocessing(resize=10_000).fit(Image.new("RGB", (10_000, 8)))


def test_one_channel_network_gets_grey():
    preprocessing = Preprocessing(mean=(0.1,), std=(0.3,))
    grey = noise(12, 10, "L")
    fitted = preprocessing.fit(grey.convert("RGB"))
    np.testing.assert_array_equal(np.asarray(fitted), np.asarray(grey))
    torch.testing.assert_close(
        preprocessing.normalise(torch.full((2, 1, 1, 1), 0.4)), torch.full((2, 1, 1, 1), 1.0), rtol=1e-6, atol=0
    )


def test_normalise_against_a_pixel_computed_by_hand():
    pixel = torch.tensor([0.2, 0.4, 0.6], dtype=torch.float64).reshape(1, 3, 1, 1)
    preprocessing = Preprocessing(mean=(10, 20, 30), std=(2, 4, 5), channels="bgr", scale=255)
    # blue 0.6 * 255 = 153, green 102, red 51
    expected = torch.tensor([(153 - 10) / 2, (102 - 20) / 4, (51 - 30) / 5], dtype=torch.float64)
    torch.testing.assert_close(preprocessing.normalise(pixel).flatten(), expected)


def test_normalise_is_torchvisions_for_imagenet():
    images = torch.rand(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    preset = PRESETS["imagenet"]
    expected = transforms.Normalize(preset.mean, preset.std)(images)
    torch.testing.assert_close(preset.normalise(images), expected, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_normalise_keeps_dtype_and_images(dtype):
    images = torch.full((1, 3, 2, 2), 0.5, dtype=dtype)
    assert PRESETS["caffe"].normalise(images).dtype == dtype
    assert images.eq(0.5).all()


def test_normalise_is_differentiable():
    images = torch.rand(2, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(Preprocessing(std=(1, 2, 4), channels="bgr", scale=3).normalise, images)


def test_normalise_does_not_depend_on_the_batch():
    images = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([PRESETS["imagenet"].normalise(image[None]) for image in images])
    assert torch.equal(PRESETS["imagenet"].normalise(images), alone)


@pytest.mark.parametrize(
    ("images", "came"),
    [
        (torch.zeros(3, 4, 4), r"torch.float32 of shape \(3, 4, 4\)"),
        (torch.zeros(1, 1, 4, 4), r"torch.float32 of shape \(1, 1, 4, 4\)"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), r"torch.uint8 of shape \(1, 3, 4, 4\)"),
    ],
)
def test_normalise_refuses_other_tensors(images, came):
    with pytest.raises(InputError, match=rf"floating-point images of shape \(N, 3, H, W\), got {came}"):
        PRESETS["imagenet"].normalise(images)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_where_nothing_is_said_of_single_channels_any_number_will_do(channels):
    images = torch.rand(2, channels, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Preprocessing(scale=255).normalise(images), 255 * images)
    low, high = Preprocessing(scale=255).box()
    assert (low.expand_as(images).unique().item(), high.expand_as(images).unique().item()) == (0, 255)


def test_box_holds_every_normalised_pixel():
    low, high = PRESETS["caffe"].box()
    assert low.shape == high.shape == (1, 3, 1, 1)
    assert low.flatten().tolist() == [-104, -117, -123]
    assert high.flatten().tolist() == [151, 138, 132]
    normalised = PRESETS["caffe"].normalise(torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0)))
    assert ((low <= normalised) & (normalised <= high)).all()


@pytest.mark.parametrize("name", PRESETS)
def test_description_survives_json(name):
    described = json.loads(json.dumps(PRESETS[name].describe()))
    assert Preprocessing(**described) == PRESETS[name]
    assert hash(Preprocessing(**described)) == hash(PRESETS[name])


def test_a_long_side_may_hold_a_crop_wider_than_the_short_side():
    assert Preprocessing(resize=32, crop=(20, 48)).fit(noise(100, 50)).size == (48, 20)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"std": (1.0, 0.0, 1.0)}, "std, .* must be a number from 1e-06 to 1e[+]06, got 0[.]0"),
        ({"std": (1.0, float("nan"), 1.0)}, "expected std to be made of finite numbers, got"),
        ({"mean": 0.5}, "expected mean to be made of finite numbers, got 0.5"),
        ({"mean": (0.5,)}, "expected as many values of mean as of std, one for each channel, got 1 and 3"),
        ({"mean": (0.5,) * 4, "std": (1.0,) * 4, "channels": "bgr"}, "3 values for the channels bgr, got 4"),
        ({"mean": (), "std": ()}, "one for each channel, got 0 and 0"),
        ({"scale": 0}, "scale [(]1, or 255 for Caffe[)] must be a number from 1e-06 to 1e[+]06, got 0.0"),
        ({"scale": "big"}, "expected scale to be made of finite numbers"),
        ({"interpolation": "bilinaer"}, "unknown interpolation 'bilinaer'; did you mean 'bilinear'"),
        ({"channels": "BGR"}, "unknown order of channels 'BGR'; .*known: rgb, bgr"),
        ({"resize": 0}, "resize must be a whole number from 1 to 100,000, got 0"),
        ({"resize": True}, "expected resize to be .* got True"),
        ({"resize": 1.5}, "expected resize to be .* got 1.5"),
        ({"resize": "256"}, "expected resize to be .* got '256'"),
        ({"crop": (3, -1)}, "crop must be a whole number from 1 to 100,000, got -1"),
        ({"crop": (3, 4, 5)}, r"expected crop to be .* got \(3, 4, 5\)"),
        ({"crop": ()}, r"expected crop to be .* got \(\)"),
        ({"resize": 64, "crop": 65}, "expected a crop no larger than resize = 64, got crop = 65"),
        ({"resize": (64, 32), "crop": 64}, r"expected a crop no larger than resize = \(64, 32\), got crop = 64"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(InputError, match=message):
        Preprocessing(**settings)
