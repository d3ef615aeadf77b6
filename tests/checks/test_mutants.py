"""Every check can fail: one deliberately broken metric or method for each trap, caught by the check that is meant."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from heatproof.checks import MetricClaims, check_method, check_metric
from heatproof.checks.methods import CHECKS as METHOD_CHECKS
from heatproof.checks.metrics import CHECKS as METRIC_CHECKS

REGION = 4
CLAIMS = {"region": REGION, "score": "logit"}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def seeded(image):
    """A generator that belongs to the image."""
    return torch.Generator().manual_seed(int(image.double().sum() * 1e6) % 2**31)


class Metric:
    """Region perturbation with a plain loop; ``broken`` puts one trap into it."""

    def __init__(self, broken="", value="aopc", fill="zero"):
        self.broken, self.value, self.fill = broken, value, fill
        self.__name__ = broken or "sound"

    def __call__(self, network, images, targets, heatmaps):
        if self.broken == "batch":
            heatmaps = heatmaps.clamp_min(0.3 * heatmaps.max())  # of the whole batch
        if self.broken == "touches":
            images[0, 0, 0, 0] = 0.5
        found = [
            self.one(network, x, int(t), h, n)
            for n, (x, t, h) in enumerate(zip(images, targets, heatmaps, strict=True))
        ]
        if self.broken == "shape":
            return torch.stack(found).mean()
        return torch.stack(found)

    def one(self, network, image, target, heatmap, number):
        morf = self.drops(network, image, target, self.order(image, heatmap, number))
        if self.value == "aopc":
            return self.area(morf)
        lerf = self.drops(network, image, target, self.order(image, heatmap, number).flip(0))
        if self.broken == "lerf behind":
            lerf = torch.cat([lerf[:1], lerf[:-1]])
        return self.area(morf) - self.area(lerf)

    def area(self, drops):
        if self.broken == "no k = 0":
            return drops[1:].mean()
        return drops.sum() if self.broken == "not divided" else drops.mean()

    def regions(self, image, swapped=False):
        height, width = image.shape[:0:-1] if swapped else image.shape[1:]
        rows, columns = height // REGION, width // REGION
        indices = torch.arange(rows * columns).reshape(rows, columns)
        blocks = indices.repeat_interleave(REGION, 0).repeat_interleave(REGION, 1)
        padded = F.pad(blocks, (0, width - blocks.shape[1], 0, height - blocks.shape[0]), value=-1)
        return padded.reshape(image.shape[1:])

    def order(self, image, heatmap, number):
        regions = self.regions(image, swapped=self.broken == "swapped").flatten()
        relevance = torch.zeros(int(regions.max()) + 1, dtype=torch.float64)
        relevance.index_add_(0, regions[regions >= 0], heatmap.double().flatten()[regions >= 0])
        if self.broken == "squared":
            relevance = relevance**2
        count = len(relevance)
        shuffle = torch.randperm(count, generator=seeded(image))
        if self.broken == "place":
            shuffle = torch.randperm(count, generator=torch.Generator().manual_seed(number))
            relevance = relevance + shuffle * 0.3
        if self.broken == "global":
            relevance = relevance + 0.3 * torch.rand(count)
        if self.broken == "ties":
            shuffle = torch.arange(count)
        return shuffle[relevance[shuffle].argsort(descending=True, stable=True)]

    def drops(self, network, image, target, order):
        regions, fill = self.regions(image), torch.zeros_like(image)
        if self.fill == "uniform":
            fill = torch.rand(image.shape, generator=seeded(image))
            if self.broken == "noise per patch":
                small = torch.rand(3, 99, 99, generator=seeded(image)).repeat_interleave(REGION, 1)
                fill = small.repeat_interleave(REGION, 2)[:, : image.shape[1], : image.shape[2]]
        states, x = [image], image
        for region in order:
            x = torch.where(regions == region, fill, x)
            states.append(x)
        if self.broken == "channels":
            states = [
                torch.cat([late[:1], early[1:]]) for early, late in zip([image, *states[:-1]], states, strict=True)
            ]
        logits = network.logits(torch.stack(states))
        if self.broken in ("softmax", "claims logit"):
            logits = logits.softmax(1)
        scores = logits[:, target].double()
        return scores[0] - scores


SOUND = [
    ({"value": "aopc"}, {"value": "aopc", "replacement": "zero"}),
    ({"value": "abpc"}, {"value": "abpc", "replacement": "zero"}),
    ({"value": "abpc", "fill": "uniform"}, {"value": "abpc", "replacement": "uniform"}),
]


@pytest.mark.parametrize(("made", "claims"), SOUND, ids=str)
def test_sound_metric_passes_everything(made, claims):
    found = check_metric(Metric(**made), MetricClaims(**CLAIMS | claims))
    assert found.passed, str(found)
    assert sum(check.outcome == "passed" for check in found.checks) >= 12


ABPC = {"value": "abpc"}, {"value": "abpc", "replacement": "zero"}
AOPC = {"value": "aopc"}, {"value": "aopc", "replacement": "zero"}
UNIFORM = {"value": "abpc", "fill": "uniform"}, {"value": "abpc", "replacement": "uniform"}
METRIC_MUTANTS = [
    ("noise per patch", *UNIFORM, "noise"),
    ("softmax", *ABPC, "score"),
    ("no k = 0", *AOPC, "closed form"),
    ("not divided", *AOPC, "closed form"),
    ("", AOPC[0], AOPC[1] | {"higher_is_better": False}, "direction"),
    ("channels", *ABPC, "channels"),
    ("ties", *ABPC, "ties"),
    ("lerf behind", *ABPC, "reversal"),
    ("swapped", *ABPC, "sizes"),
    ("batch", *AOPC, "batch"),
    ("place", *ABPC, "order of images"),
    ("global", *ABPC, "global randomness"),
    ("squared", *ABPC, "monotone transform"),
    ("touches", *ABPC, "leaves things alone"),
    ("shape", *ABPC, "one value per image"),
    ("", AOPC[0], AOPC[1] | {"chance": 0.0}, "chance"),
]


@pytest.mark.parametrize(("broken", "made", "claims", "caught"), METRIC_MUTANTS, ids=lambda value: str(value)[:20])
def test_each_broken_metric_is_caught_by_the_check_that_is_meant(broken, made, claims, caught):
    found = check_metric(Metric(broken, **made), MetricClaims(**CLAIMS | claims), only=[caught])
    assert found.outcomes()[caught] == "failed", str(found)


def test_every_check_of_a_metric_has_a_mutant():
    assert {caught for *_, caught in METRIC_MUTANTS} == set(METRIC_CHECKS)


# --- methods


def gradient(network, images, targets):
    inputs = network.inputs(images).detach().requires_grad_()
    score = network.module(inputs).gather(1, targets[:, None]).sum()
    return torch.autograd.grad(score, inputs)[0]


def product(network, images, targets):
    return (gradient(network, images, targets) * network.inputs(images)).sum(dim=1)


def by_hooks(network, images, targets):
    """Deconvolution by hooks on the modules that happen to be ``nn.ReLU``."""
    hooks = [
        module.register_full_backward_hook(lambda _, __, signal: (signal[0].clamp_min(0),))
        for module in network.module.modules()
        if isinstance(module, nn.ReLU)
    ]
    try:
        return gradient(network, images, targets).norm(dim=1)
    finally:
        for hook in hooks:
            hook.remove()


def leaves_hooks(network, images, targets):
    next(network.module.children()).register_forward_hook(lambda *_: None)
    return product(network, images, targets)


def swapped(network, images, targets):
    maps = product(network, images, targets)
    return maps.reshape(len(maps), maps.shape[2], maps.shape[1])


def draws(network, images, targets):
    return product(network, images, targets) + 0.1 * torch.from_numpy(np.random.normal(size=images[:, 0].shape))  # noqa: NPY002


def standardised(network, images, targets):
    maps = images.mean(dim=1)
    spread = maps.std(dim=(1, 2), keepdim=True)
    return product(network, images, targets) * maps / torch.where(spread < 1e-6, torch.nan, spread)


def by_place(network, images, targets):
    return product(network, images, targets) * torch.arange(1.0, len(images) + 1)[:, None, None]


def of_the_top_class(network, images, targets):
    return product(network, images, network.module(network.inputs(images)).argmax(1))


METHOD_MUTANTS = [
    (lambda n, x, t: gradient(n, x, t) * x, "one map per image"),
    (swapped, "any size"),
    (lambda n, x, t: (m := product(n, x, t)) / m.abs().max(), "batch"),
    (by_place, "order of images"),
    (draws, "global randomness"),
    (leaves_hooks, "leaves things alone"),
    (lambda n, x, t: x.mean(dim=1) * (1 + t[:, None, None]), "weights"),
    (of_the_top_class, "class"),
    (by_hooks, "way of writing"),
    (standardised, "constant image"),
    (lambda n, x, t: 2 * product(n, x, t), "sums to the score"),
]


@pytest.mark.parametrize(("method", "caught"), METHOD_MUTANTS, ids=lambda value: str(value)[:20])
def test_each_broken_method_is_caught_by_the_check_that_is_meant(method, caught):
    found = check_method(method, sums_to_score=True, only=[caught])
    assert found.outcomes()[caught] == "failed", str(found)


def test_every_check_of_a_method_has_a_mutant_or_only_informs():
    informs = {"linear network", "against chance"}
    assert {caught for _, caught in METHOD_MUTANTS} | informs == set(METHOD_CHECKS)


def test_sound_method_passes_everything():
    found = check_method(product, sums_to_score=True)
    assert found.passed, str(found)
    assert "rank correlation with the contributions 1.00" in str(found)
    assert next(check for check in found.checks if check.name == "against chance").seen.startswith("the method 0.711")


def test_global_states_are_put_back():
    before = torch.get_rng_state(), str(np.random.get_state()), random.getstate()  # noqa: NPY002
    check_method(product)
    after = torch.get_rng_state(), str(np.random.get_state()), random.getstate()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
