"""How stable heatmaps are, as a study."""

import json

import numpy as np
import polars as pl
import pytest
import scipy
import torch
from torch import nn

import heatproof as hp
from heatproof.measures import estimate
from heatproof.randomness import identify
from heatproof.studies.changing.disturbances import DIRECTIONS, noisy, shifted

SIZE = 16


def images_of(count=6):
    """Away from 0 and 1, so that noise is not cut off."""
    return 0.25 + torch.from_numpy(np.random.default_rng(0).random((count, 3, SIZE, SIZE), dtype=np.float32)) / 2


@pytest.fixture
def images():
    return images_of()


def linear():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, 3)).double())


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return hp.Network(
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 3))
        )


class Moving(nn.Module):
    """A score that a shift of the image leaves alone but at its edges: one sum over all pixels."""

    def forward(self, images):
        brightness = images.sum(dim=(1, 2, 3))
        return torch.stack([brightness, -brightness], dim=1)


def squares(network, images, targets):
    """A map that moves with the image."""
    return images.square().sum(dim=1)


def noise(network, images, targets):
    """A map that is drawn anew for each image."""
    return hp.explain(network, images, "random")


EVERYTHING = {"tolerance": 10.0}


def test_a_linear_network_has_closed_forms(images):
    """Its gradient stays as it is; gradient times input changes by gradient times noise."""
    found = linear()
    weights = found.module[1].weight.detach().reshape(3, 3, SIZE, SIZE)
    targets = torch.tensor([0, 1, 2, 0, 1, 2])
    study = hp.stability(
        found, images, ["sensitivity-l2", "gradient-x-input"], targets=targets, draws=1, noise=0.01, **EVERYTHING
    )
    np.testing.assert_allclose(study.values["change under noise"]["sensitivity-l2"], 0, atol=1e-12)
    np.testing.assert_allclose(study.values["correlation under noise"]["sensitivity-l2"], 1)
    after = noisy(images, identify(images), study_options(draws=1, noise=0.01), 0).images
    pair = [(weights[targets] * part.double()).sum(dim=1).numpy() for part in (images, after)]
    one, other = (part / np.abs(part).sum(axis=(1, 2), keepdims=True) for part in pair)
    expected = np.abs(other - one).sum(axis=(1, 2))
    counts = study.counted["noise"] > 0
    assert counts.any()
    np.testing.assert_allclose(
        study.values["change under noise"]["gradient-x-input"][counts], expected[counts], rtol=1e-4
    )


def study_options(**given):
    from heatproof.options.changing import StabilityOptions

    return StabilityOptions(**given)


def test_values_are_those_of_a_plain_loop(network, images):
    """One disturbed image after the other, as the definitions have it."""
    study = hp.stability(network, images, ["lrp-epsilon"], draws=3, tolerance=0.05, seed=5)
    options, (id_, *_) = study_options(draws=3, tolerance=0.05, seed=5), identify(images)
    before, logits = hp.explain(network, images[:1], "lrp-epsilon")[0].numpy(), network.logits(images[:1])[0]
    target = int(logits.argmax())
    for kind, words, disturb, edge in (("noise", "noise", noisy, 0), ("shift", "shifts", shifted, 2)):
        changes, correlations = [], []
        for draw in range(3):
            disturbed = disturb(images[:1], [id_], options, draw)
            new = network.logits(disturbed.images)[0]
            share = abs(float(new[target] - logits[target])) / abs(float(logits[target]))
            if int(new.argmax()) != target or share > 0.05:
                continue
            after = hp.explain(network, disturbed.images, "lrp-epsilon", targets=target)[0].numpy()
            (row, column), inner = disturbed.moved[0], range(edge, SIZE - edge)
            first = np.array([[before[y, x] for x in inner] for y in inner])
            second = np.array([[after[y + row, x + column] for x in inner] for y in inner])
            scaled = first / np.abs(first).sum(), second / np.abs(second).sum()
            changes.append(np.abs(scaled[1] - scaled[0]).sum())
            correlations.append(scipy.stats.spearmanr(first.ravel(), second.ravel()).statistic)
        assert study.counted[kind][0] == len(changes)
        if changes:
            assert study.values[f"change under {words}"]["lrp-epsilon"][0] == pytest.approx(np.mean(changes), rel=1e-4)
            assert study.values[f"correlation under {words}"]["lrp-epsilon"][0] == pytest.approx(
                np.mean(correlations), rel=1e-4
            )
    assert study.counted["noise"][0] > 0


@pytest.mark.parametrize("draw", range(8))
def test_a_shift_moves_pixels_and_replicates_edges(images, draw):
    found = shifted(images, identify(images), study_options(shift=3), draw)
    for before, after, (row, column) in zip(images, found.images, found.moved, strict=True):
        for y in range(SIZE):
            for x in range(SIZE):
                source = np.clip([y - row, x - column], 0, SIZE - 1)
                assert torch.equal(after[:, y, x], before[:, source[0], source[1]])


def test_eight_shifts_have_all_directions(images):
    moved = [shifted(images[:1], identify(images[:1]), study_options(), draw).moved[0] for draw in range(8)]
    assert sorted(map(tuple, moved)) == sorted((2 * row, 2 * column) for row, column in DIRECTIONS)


def test_planted_maps_come_out_as_they_must(images):
    """A map that moves with the image, one of noise, one that stays, and one without relevance."""
    methods = {"squares": squares, "drawn": noise, "centre-gaussian": "centre-gaussian", "constant": "constant"}
    study = hp.stability(hp.Network(Moving()), images, methods)
    assert study.left_out == {"noise": 0, "shift": 0}
    np.testing.assert_allclose(study.values["change under shifts"]["squares"], 0, atol=1e-6)
    np.testing.assert_allclose(study.values["correlation under shifts"]["squares"], 1)
    np.testing.assert_array_equal(study.values["change under noise"]["centre-gaussian"], np.zeros(6))
    np.testing.assert_array_equal(study.values["correlation under noise"]["centre-gaussian"], np.ones(6))
    for words in ("noise", "shifts"):
        np.testing.assert_allclose(study.values[f"change under {words}"]["drawn"], np.sqrt(2), atol=0.1)
        np.testing.assert_allclose(study.values[f"correlation under {words}"]["drawn"], 0, atol=0.15)
        assert np.isnan(study.values[f"change under {words}"]["constant"]).all()
    assert study.ordered("change under noise") == ["centre-gaussian", "squares", "drawn", "constant"]
    assert study.warnings == ["6 of 6 heatmaps of constant are all zero: they have no value, and are left out"]
    assert "a constant map, such as centre-gaussian, is perfectly stable" in study.verdict[-1]
    assert "the maps of squares change least" in study.verdict[0]  # a baseline does not win
    assert np.isnan(study.table().rows[-1][1])


def test_images_whose_class_or_score_changes_are_left_out(network, images):
    none = hp.stability(network, images, ["gradient-x-input"], tolerance=0.0)
    assert none.left_out == {"noise": none.made, "shift": none.made} == {"noise": 24, "shift": 24}
    assert np.isnan(none.values["change under noise"]["gradient-x-input"]).all()
    assert none.warnings[0] == (
        "none of the 24 images with noise counts: all change the predicted class or the score too much"
    )
    assert none.page().sections
    assert none.verdict[0].startswith("Left out: 24 of 24 images with noise and 24 of 24 images with shifts")
    some = hp.stability(network, images, ["gradient-x-input"], noise=0.3, **EVERYTHING)
    assert 0 < some.left_out["noise"] < 24  # the class changes
    assert (some.score_changes["noise"][some.counted["noise"] > 0] > 0).all()


def test_neither_batches_nor_the_order_of_images_matter(network, images):
    methods = ["lrp-epsilon", "random"]
    whole = hp.stability(network, images, methods)
    parts = hp.stability(network, images, methods, memory=1)
    turned = hp.stability(network, images.flip(0), methods)
    for quantity, values in whole.values.items():
        for name in methods:
            np.testing.assert_allclose(parts.values[quantity][name], values[name], rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(turned.values[quantity][name][::-1], values[name], rtol=1e-4, atol=1e-6)


def test_differences_are_paired_and_point_to_the_more_stable_one(network, images):
    study = hp.stability(network, images, ["gradient-x-input", "sensitivity-l2"], **EVERYTHING)
    changes, found = study.values["change under noise"], study.differences
    assert study.ordered("change under noise") == ["sensitivity-l2", "gradient-x-input"]
    gap = changes["gradient-x-input"] - changes["sensitivity-l2"]
    assert found["change under noise", "sensitivity-l2", "gradient-x-input"].estimate == estimate(gap)
    assert study.estimates["change under noise"]["sensitivity-l2"] == estimate(changes["sensitivity-l2"])
    assert "sensitivity-l2 is significantly lower than gradient-x-input" in study.verdict[0]
    assert len(study.differences_table().rows) == 4


def test_one_method_on_one_image(network, images):
    study = hp.stability(network, images[:1], ["lrp-epsilon"], **EVERYTHING)
    assert study.verdict[0].startswith("Under noise (standard deviation 0.01): the maps of lrp-epsilon change by ")
    assert set(study.figures()) == {"noise_change", "shift_change", "gallery"}


def test_the_run_directory(network, images, tmp_path):
    study = hp.stability(network, images, ["lrp-epsilon", "constant"], skipped=[("bad.png", "broken")])
    study.save(tmp_path / "RUN", reproduce="heatproof stability …")
    frame = pl.read_parquet(tmp_path / "RUN" / "scores.parquet")
    assert frame.columns == [
        "image", "method", "noise_counted", "noise_score_change", "noise_change", "noise_correlation",
        "shift_counted", "shift_score_change", "shift_change", "shift_correlation",
    ]  # fmt: skip
    assert frame.height == 12
    assert frame.filter(pl.col("method") == "constant")["noise_change"].null_count() == 6
    run = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert (run["study"], run["complete"], run["left_out"]) == ("stability", False, study.left_out)
    assert run["plan"]["changing"] == {
        "study": "stability", "noise": 0.01, "shift": 2, "draws": 4, "tolerance": 0.1, "seed": 0,
    }  # fmt: skip


def test_progress_reaches_the_end(network, images):
    seen = []
    hp.stability(network, images, ["random"], memory=1, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6 * 9, 6 * 9)


def test_what_is_refused(network, images):
    with pytest.raises(hp.InputError, match="heatmaps, which do not belong to images or networks that are changed now"):
        hp.stability(network, images, {"mine": torch.zeros(6, SIZE, SIZE)})
    with pytest.raises(hp.InputError, match="shift must be less than half of the images' 16 x 16 pixels, got 8"):
        hp.stability(network, images, ["random"], shift=8)
    with pytest.raises(hp.InputError, match=r"noise must be a number from 1e-06 to 1, got 2\.0"):
        hp.stability(network, images, ["random"], noise=2.0)


def test_methods_with_missing_values_are_compared_on_what_both_have():
    """One has no map of half of the images, on which the other changes most: alone, its mean is lower."""
    images = images_of(40)
    images[:20, 0, 0, 0], images[20:, 0, 0, 0] = 0.0, 1.0  # where the other is steady, and where it is wild

    def some(network, images, targets):
        return (images.mean(1) - 0.5) * (images[:, 0, 0, 0] < 0.5)[:, None, None]

    def all_of_them(network, images, targets):
        plain = images.mean(1) - 0.5
        wild = (images[:, 0, 0, 0] > 0.5)[:, None, None]
        return torch.where(wild, torch.sin(400 * plain), plain + 0.15 * torch.sign(plain))

    study = hp.stability(linear(), images, {"some": some, "all": all_of_them}, draws=2, tolerance=10.0)
    quantity = "change under noise"
    assert study.estimates[quantity]["some"].mean < study.estimates[quantity]["all"].mean
    found = study.differences[quantity, "all", "some"]
    assert found.above
    assert found.images == 20
    assert "on the images that both have, some is significantly higher than all" in " ".join(study.verdict)
