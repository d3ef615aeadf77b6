"""The metrics of the adapter: Quantus' own values where these are right, and the right ones where they are not."""

import numpy as np
import pytest
import torch
from torch import nn

from heatproof.adapters.quantus import PixelFlipping, RegionPerturbation, Selectivity
from heatproof.errors import InputError

SIZE = 16


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(6 * 7 * 7, 4)
        ).eval()  # fmt: skip


@pytest.fixture(scope="module")
def given():
    """Inputs as a model reads them, their classes, and maps without ties."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(5, 3, SIZE, SIZE)).astype(np.float32) * 2
    return {"x_batch": x, "y_batch": np.array([0, 1, 2, 3, 0]), "a_batch": generator.random((5, 1, SIZE, SIZE))}


def theirs(name, model, given, **options):
    quantus = pytest.importorskip("quantus")
    state = np.random.get_state()  # noqa: NPY002 - Quantus moves it
    try:
        calling = {"softmax": options.pop("softmax", False), "device": "cpu", "channel_first": True}
        metric = getattr(quantus, name)(disable_warnings=True, **options)
        return np.asarray(metric(model=model, **calling, **given), dtype=np.float64)
    finally:
        np.random.set_state(state)  # noqa: NPY002


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("baseline", ["black", "white", 0.5])
@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_region_perturbation_is_quantus_where_that_is_right(model, given, order, baseline, softmax):
    options = {"patch_size": 4, "order": order, "regions_evaluation": 9, "perturb_baseline": baseline}
    mine = RegionPerturbation(**options)(model=model, softmax=softmax, **given)
    expected = theirs("RegionPerturbation", model, given, softmax=softmax, **options)
    assert [drops.shape for drops in mine] == [(9,)] * 5
    np.testing.assert_allclose(np.stack(mine), expected, atol=2e-5)


@pytest.mark.parametrize("size", [5, 7])
def test_patches_that_do_not_fit_are_cut_as_in_quantus(model, given, size):
    mine = RegionPerturbation(patch_size=size)(model=model, **given)
    np.testing.assert_allclose(np.stack(mine), theirs("RegionPerturbation", model, given, patch_size=size), atol=2e-5)


def test_selectivity_is_quantus(model, given):
    mine = Selectivity(patch_size=4)(model=model, **given)
    np.testing.assert_allclose(np.stack(mine), theirs("Selectivity", model, given, patch_size=4), atol=2e-5)


def test_pixel_flipping_of_grey_images_is_quantus(given):
    model = nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 4)).eval()
    grey = given | {"x_batch": given["x_batch"][:, :1]}
    mine = PixelFlipping(features_in_step=8)(model=model, **grey)
    assert isinstance(mine[0], list)
    np.testing.assert_allclose(np.array(mine), theirs("PixelFlipping", model, grey, features_in_step=8), atol=2e-5)


def test_pixels_go_with_all_their_channels(model, given):
    """Quantus orders single channel values: three times the steps, and pixels half removed."""
    mine = PixelFlipping(features_in_step=16)(model=model, **given)
    assert np.array(mine).shape == (5, SIZE * SIZE // 16)
    assert theirs("PixelFlipping", model, given, features_in_step=16).shape == (5, 3 * SIZE * SIZE // 16)


def test_ties_are_shuffled_not_ordered_by_position(model, given):
    """One region is relevant, all others are tied: Quantus takes the one in the upper left corner next."""
    maps = np.zeros((5, SIZE, SIZE))
    maps[:, 8:12, 8:12] = 1
    tied, options = given | {"a_batch": maps}, {"patch_size": 4, "regions_evaluation": 2}
    mine = np.stack(RegionPerturbation(**options)(model=model, **tied))
    other = theirs("RegionPerturbation", model, given | {"a_batch": maps[:, None]}, **options)
    np.testing.assert_allclose(mine[:, 0], other[:, 0], atol=2e-5)
    assert np.abs(mine[:, 1] - other[:, 1]).max() > 1e-3


def test_aopc_has_the_term_of_the_untouched_image(model, given):
    metric = RegionPerturbation(patch_size=4, regions_evaluation=9, return_aggregate=True)
    (aggregated,) = metric(model=model, **given)
    drops = theirs("RegionPerturbation", model, given, patch_size=4, regions_evaluation=9)
    np.testing.assert_allclose(metric.aopc, drops.sum(axis=1) / 10, atol=2e-5)
    assert aggregated == pytest.approx(float(metric.aopc.mean()))


def test_mean_is_that_of_the_untouched_image(model, given):
    """Quantus takes the mean of what is left, so that the value drifts with every step; the first step is the same."""
    options = {"patch_size": 4, "perturb_baseline": "mean", "regions_evaluation": 6}
    mine = np.stack(RegionPerturbation(**options)(model=model, **given))
    other = theirs("RegionPerturbation", model, given, **options)
    np.testing.assert_allclose(mine[:, 0], other[:, 0], atol=2e-5)
    assert np.abs(mine[:, 5] - other[:, 5]).max() > 1e-4


def test_uniform_is_drawn_for_every_value(given):
    """Quantus draws one number for a patch. A model that sees the spread of a patch tells them apart."""

    class Spread(nn.Module):
        def forward(self, x):
            return torch.stack([x[:, 0].flatten(1).std(dim=1), x[:, 0].flatten(1).mean(dim=1)], dim=1)

    options = {"patch_size": SIZE, "perturb_baseline": "uniform"}
    call = given | {"y_batch": np.zeros(5, dtype=int)}
    start = given["x_batch"][:, 0].reshape(5, -1).std(axis=1, ddof=1)
    mine = start - np.stack(RegionPerturbation(**options)(model=Spread(), **call))[:, 0]
    np.testing.assert_allclose(mine, 12**-0.5, rtol=0.1)
    np.testing.assert_allclose(
        start - theirs("RegionPerturbation", Spread().eval(), call, **options)[:, 0], 0, atol=1e-5
    )


@pytest.mark.parametrize("kind", [RegionPerturbation, Selectivity, PixelFlipping])
def test_batches_and_orders_of_images_change_nothing(kind, model, given):
    options = {"features_in_step": 32} if kind is PixelFlipping else {"patch_size": 4, "perturb_baseline": "uniform"}
    together = np.array(kind(**options)(model=model, **given))
    alone = [kind(**options)(model=model, **{n: v[i : i + 1] for n, v in given.items()})[0] for i in range(5)]
    backwards = np.array(kind(**options)(model=model, **{n: v[::-1].copy() for n, v in given.items()}))
    np.testing.assert_allclose(np.array(alone), together, atol=2e-5)
    np.testing.assert_allclose(backwards[::-1], together, atol=2e-5)


def test_linear_model_has_its_closed_form():
    """f(x) = Σ w·x, zero for what is removed: step k removes the k largest sums of w·x."""
    generator = np.random.default_rng(1)
    weight, x = generator.normal(size=(SIZE, SIZE)), generator.normal(size=(2, 1, SIZE, SIZE)).astype(np.float32)
    model = nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 2, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor(np.stack([weight.ravel(), 0 * weight.ravel()])))
    parts = x[:, 0] * weight
    drops = RegionPerturbation(patch_size=4, perturb_baseline=0.0)(
        model=model, x_batch=x, y_batch=np.zeros(2, dtype=int), a_batch=parts
    )
    sums = parts.reshape(2, 4, 4, 4, 4).sum(axis=(2, 4)).reshape(2, -1)
    np.testing.assert_allclose(np.stack(drops), np.cumsum(-np.sort(-sums, axis=1), axis=1), atol=1e-4)


def test_directions():
    assert RegionPerturbation().score_direction == "higher"
    assert RegionPerturbation(order="LeRF").score_direction == "lower"
    assert Selectivity().score_direction == PixelFlipping().score_direction == "lower"


def test_maps_may_come_from_a_function(model, given):
    def explain(model, inputs, targets, scale=1, device=None):
        assert (inputs.shape, device) == ((5, 3, SIZE, SIZE), "cpu")
        return given["a_batch"] * scale

    call = {"x_batch": given["x_batch"], "y_batch": given["y_batch"], "device": "cpu", "explain_func": explain}
    mine = RegionPerturbation(patch_size=4)(model=model, explain_func_kwargs={"scale": 2}, **call)
    np.testing.assert_allclose(np.stack(mine), np.stack(RegionPerturbation(patch_size=4)(model=model, **given)))


def test_channels_last_and_area(model, given):
    metric = PixelFlipping(features_in_step=64, return_auc_per_sample=True)
    last = given | {"x_batch": given["x_batch"].transpose(0, 2, 3, 1)}
    areas = metric(model=model, channel_first=False, **last)
    assert areas == pytest.approx(metric(model=model, **given))
    assert metric.get_auc_score == pytest.approx(np.mean(areas))
    assert len(metric.all_evaluation_scores) == 10


def test_absolute_values_and_a_normalisation_of_your_own(model, given):
    signed = given | {"a_batch": given["a_batch"] - 0.5}
    mine = Selectivity(patch_size=4, abs=True)(model=model, **signed)
    np.testing.assert_allclose(np.stack(mine), theirs("Selectivity", model, signed, patch_size=4, abs=True), atol=2e-5)
    negative = Selectivity(patch_size=4, normalise_func=lambda a, sign: sign * a, normalise_func_kwargs={"sign": -1})
    lerf = Selectivity(patch_size=4)(model=model, **(given | {"a_batch": -given["a_batch"]}))
    np.testing.assert_allclose(np.stack(negative(model=model, **given)), np.stack(lerf), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RegionPerturbation(order="mrof"), "unknown order 'mrof'; did you mean 'morf'"),
        (
            lambda: RegionPerturbation(perturb_baseline="random"),
            "unknown perturb_baseline .* known: black, white, mean",
        ),
        (lambda: RegionPerturbation(perturb_func=np.mean), "perturb_func is not supported"),
        (lambda: RegionPerturbation(perturb_func_kwargs={"low": 1}), "unknown option in perturb_func_kwargs"),
        (lambda: PixelFlipping(display_progressbar=True), "progress bars are not supported"),
        (lambda: PixelFlipping(features_in_step=0), "at least 1"),
    ],
)
def test_what_is_not_supported_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"s_batch": np.ones(1)}, "s_batch and model_predict_kwargs are not supported"),
        ({"a_batch": np.ones((5, 3, 4))}, r"attributions must be finite, of shape \(N, H, W\) = \(5, 16, 16\)"),
        ({"a_batch": np.full((5, 16, 16), np.nan)}, "must be finite"),
        ({"a_batch": None}, "expected a_batch or explain_func"),
        ({"model": "resnet"}, "model must be a torch.nn.Module"),
        ({"model": nn.Sequential(nn.Flatten(), nn.Linear(768, 2), nn.Softmax(1))}, "ends with a Softmax"),
        ({"x_batch": np.ones((5, 16, 16, 16))}, "might be either"),
    ],
)
def test_calls_that_are_refused(model, given, change, message):
    with pytest.raises(InputError, match=message):
        RegionPerturbation(patch_size=4)(**({"model": model} | given | change))
