"""What a page shows of a picture is what the network saw."""

import numpy as np
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.report.studies.pictures import walks
from heatproof.results.chosen import Chosen, taken
from heatproof.studies.shown import chosen_numbers

NAMES = ["a/cat.png", "a/dog.png", "b/cow.png", "b/emu.png"]


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16 * 16, 4))
    return hp.Network(module)


@pytest.fixture(scope="module")
def images():
    """Of whole bytes, so that a page holds them exactly."""
    draws = np.random.default_rng(0).integers(0, 256, (4, 3, 18, 18))
    return torch.from_numpy(draws).float() / 255


def compared(network, images, **options):
    methods = ["sensitivity-l2", "gradient-x-input"]
    return hp.compare(network, images, methods, regions=4, audit=0, names=NAMES, **options, protocol="samek2017")


def walked(study):
    return walks(study)


@pytest.mark.parametrize("replacement", ["uniform", "constant", "blur", "dirichlet"])
def test_what_is_drawn_has_the_score_that_is_said(network, images, replacement):
    study = compared(network, images, replacement=replacement, repeats=2, show="cow.png,cat.png")
    for shown, number in zip(walked(study), (2, 0), strict=True):
        assert shown.name == NAMES[number].split("/")[1]
        whole = (images[number] * 255).round().permute(1, 2, 0).byte()
        np.testing.assert_array_equal(shown.image, whole.numpy())
        target = study.found.targets[number]
        for walk in shown.walks:
            for k in (0, 3, len(walk.order)):
                removed = np.isin(shown.regions, walk.order[:k])[..., None]
                drawn = np.where(removed, shown.replacement, shown.image) / 255
                score = network.logits(torch.from_numpy(drawn).float().permute(2, 0, 1)[None])[0, target]
                assert float(score) == pytest.approx(walk.scores[k], abs=5e-3), (walk.name, k)


def test_imputations_have_no_replacement_image(network, images):
    study = compared(network, images, replacement="road", engine="full")
    assert [shown.replacement for shown in walked(study)] == [None] * 4


def test_sampled_steps_stand_where_they_were_scored(network, images):
    study = compared(network, images, scored=4)
    walk = walked(study)[1].walks[0]
    assert walk.steps.tolist() == study.morf["sensitivity-l2"].scored[1, 0].tolist()
    assert len(walk.scores) == len(walk.steps) == 5


def test_pictures_are_chosen_by_number_or_name():
    assert chosen_numbers(3, NAMES) == chosen_numbers("3", NAMES) == (0, 1, 2)
    assert chosen_numbers(99, NAMES) == (0, 1, 2, 3)
    assert chosen_numbers("emu.png, a/cat.png,emu.png", NAMES) == (3, 0)
    assert chosen_numbers("cat.png", ["a/cat.png", "b/cat.png"]) == (0,)
    with pytest.raises(hp.InputError, match=r"unknown picture to show 'cat\.jpg'; did you mean 'a/cat\.png'"):
        chosen_numbers("cat.jpg", NAMES)
    with pytest.raises(hp.InputError, match="between 0 and 100 pictures"):
        chosen_numbers(101, NAMES)


def test_a_page_may_show_no_picture(network, images, tmp_path):
    page = compared(network, images, show=0).report(tmp_path / "page.html").read_text()
    assert "Picture by picture" not in page
    assert "Area over the perturbation curve" in page


def test_methods_that_stopped_early_have_no_map_of_later_images():
    maps = {"all": torch.ones(3, 2, 2), "first": torch.ones(1, 2, 2)}
    chosen = Chosen.of([0, 2], torch.zeros(3, 3, 2, 2), maps)
    assert chosen.heatmaps["all"].isfinite().all()
    assert chosen.heatmaps["first"].isnan().tolist() == [[[False] * 2] * 2, [[True] * 2] * 2]
    assert taken(maps["first"], [5]).isnan().all()
