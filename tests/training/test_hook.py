"""The quality of heatmaps during training: the numbers are those of the studies, and the module stays as it was."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.training import HeatmapQuality

ALL_NAMES = {
    "above_random", "above_random_low", "above_random_high", "standardised", "standardised_low", "standardised_high",
    "aopc", "mean_logit", "seconds",
}  # fmt: skip


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).random((5, 3, 18, 18), dtype=np.float32))


def module(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(6 * 16 * 16, 4)
        )
        made(torch.rand(4, 3, 18, 18))  # so that batch norm has statistics
        return made


def scaled(made, factor):
    """The same module with larger logits."""
    other = copy.deepcopy(made)
    with torch.no_grad():
        for parameter in other[-1].parameters():
            parameter *= factor
    return other


def test_names_are_flat_and_values_are_floats(images):
    found = HeatmapQuality(images, regions=6)(module())
    assert set(found) == {f"heatproof/{name}" for name in ALL_NAMES}
    assert {type(value) for value in found.values()} == {float}


@pytest.mark.parametrize("scored", [3, None])
def test_numbers_are_those_of_assess(images, scored):
    made = module()
    found = HeatmapQuality(images, regions=3, scored=scored, seed=5, prefix="")(made)
    study = hp.assess(
        hp.Network(made), {"now": made.state_dict()}, images, regions=3, scored=scored or 8, seed=5, engine="full"
    )
    (above,), (standardised,) = study.estimates["above random"], study.estimates["standardised"]
    assert found["above_random"] == pytest.approx(above.mean, abs=1e-6)
    assert (found["above_random_low"], found["above_random_high"]) == pytest.approx((above.low, above.high), abs=1e-6)
    assert found["standardised"] == pytest.approx(standardised.mean, abs=1e-6)
    assert found["aopc"] == pytest.approx(study.estimates["AOPC"][0].mean, abs=1e-6)


def test_aopc_is_that_of_the_function(images):
    made = module()
    network = hp.Network(made)
    found = HeatmapQuality(images, regions=6, scored=9, method="sensitivity-l2", prefix="")(made)
    heatmaps = hp.explain(network, images, "sensitivity-l2")
    curves = [hp.perturb(network, images, heatmaps, order=order, regions=6, repeats=1) for order in ("morf", "random")]
    aopc, random = (float(hp.aopc(curve).mean()) for curve in curves)
    assert found["aopc"] == pytest.approx(aopc, abs=1e-5)
    assert found["above_random"] == pytest.approx(aopc - random, abs=1e-5)
    assert found["mean_logit"] == pytest.approx(float(network.logits(images).amax(dim=1).mean()), abs=1e-6)


def test_larger_logits_raise_what_they_should_and_nothing_else(images):
    quality, made = HeatmapQuality(images, regions=6, prefix=""), module()
    one, three = quality(made), quality(scaled(made, 3))
    for name in ("above_random", "aopc", "mean_logit"):
        assert three[name] == pytest.approx(3 * one[name], rel=1e-4)
    assert three["standardised"] == pytest.approx(one["standardised"], rel=1e-4)


def test_epochs_are_paired_and_later_changes_of_the_images_do_not_count(images):
    quality, made = HeatmapQuality(images, regions=6, prefix=""), module()
    one = quality(made)
    images.zero_()
    two = quality(made)
    del one["seconds"], two["seconds"]
    assert one == two


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("method", ["lrp-alphabeta", "gradient-x-input"])
def test_the_module_and_the_random_state_stay_as_they_were(images, mode, method):
    made, called = module(), []
    made.train(mode == "train")
    made[3].eval()  # single parts may be in another mode, and frozen
    made[0].weight.requires_grad_(False)
    made[0].register_forward_hook(lambda *given: called.append("forward"))
    made.register_forward_pre_hook(lambda *given: called.append("before"))
    made[2].register_full_backward_hook(lambda *given: called.append("backward"))
    made[5].weight.grad = torch.ones_like(made[5].weight)
    state = {name: value.clone() for name, value in made.state_dict().items()}
    before = [(part.training, len(part._forward_hooks)) for part in made.modules()]
    numbers, random_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    HeatmapQuality(images, regions=6, method=method)(made)
    assert called == []
    assert [(part.training, len(part._forward_hooks)) for part in made.modules()] == before
    assert all(torch.equal(state[name], value) for name, value in made.state_dict().items())
    assert torch.equal(made[5].weight.grad, torch.ones_like(made[5].weight))
    assert made[5].bias.grad is None
    assert not made[0].weight.requires_grad
    assert made[5].weight.requires_grad
    assert torch.equal(torch.get_rng_state(), random_state)
    assert (np.random.get_state()[1] == numbers).all()  # noqa: NPY002
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("inside", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)])
def test_it_may_be_called_anywhere(images, inside):
    quality, made = HeatmapQuality(images, regions=6, prefix=""), module()
    expected = quality(made)
    with inside():
        found = quality(made)
    assert found["above_random"] == expected["above_random"]


def test_training_goes_on_as_without_it(images):
    def trained(quality):
        made = module()
        optimizer = torch.optim.SGD(made.parameters(), lr=0.01)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            for _ in range(3):
                made.train()
                nn.functional.cross_entropy(made(images), torch.tensor([0, 1, 2, 3, 0])).backward()
                optimizer.step()
                optimizer.zero_grad()
                quality(made)
        return made.state_dict()

    with_it, without = trained(HeatmapQuality(images, regions=6)), trained(lambda made: None)
    assert all(torch.equal(with_it[name], without[name]) for name in without)


def test_it_logs_to_whatever_takes_values_and_a_step(images):
    logged = []
    quality = HeatmapQuality(images, regions=6, log=lambda values, step: logged.append((values, step)))
    first = quality(module())
    quality(module())
    quality(module(), 10)
    assert [step for _, step in logged] == [0, 1, 10]
    assert logged[0][0] == first


def test_what_cannot_be_measured_is_an_error_at_first_and_a_warning_later(images):
    diverged = module()
    diverged[5].weight.data[:] = torch.nan
    with pytest.raises(hp.InputError, match="not finite"):
        HeatmapQuality(images, regions=6)(diverged)
    quality = HeatmapQuality(images, regions=6)
    quality(module())
    with pytest.warns(UserWarning, match="not logged this time: .*not finite"):
        assert quality(diverged) == {}
    with pytest.raises(hp.InputError, match=r"images must lie in \[0, 1\]"):
        HeatmapQuality(images * 3)
