"""Heatmaps on mosaics, as a study: a network whose right answer is known, and what must not change it."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from torch import nn

import heatproof as hp
from heatproof.data.source import GivenImages
from heatproof.heatmaps import explain
from heatproof.measures import estimate
from heatproof.measures.planted import pointing_game, positive_share
from heatproof.runs.store import open_store
from heatproof.studies.planting.source import drawn_pictures, inside
from heatproof.studies.road.reading import read_study

SHARED = Path(__file__).parents[3] / "shared"
IMAGENET = hp.Preprocessing(resize=(256, 256), crop=227, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


class Colours(nn.Module):
    """A class for each channel: the mean of the channel."""

    def forward(self, images):
        return 8 * images.mean(dim=(2, 3))


@pytest.fixture(scope="module")
def colours():
    return hp.Network(Colours())


@pytest.fixture(scope="module")
def plain():
    """12 photographs, each of one channel alone, which is its class."""
    return torch.eye(4).repeat(3, 1)[:, :, None, None].expand(12, 4, 12, 12) * torch.linspace(0.6, 1, 12).view(
        -1, 1, 1, 1
    )


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 13 * 13, 5)))


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).random((30, 3, 15, 15), dtype=np.float32))


@pytest.fixture(scope="module")
def targets():
    return torch.arange(30) % 5


def right_channel(network, images, targets):
    return images[torch.arange(len(images)), targets]


def other_channels(network, images, targets):
    return images.sum(dim=1) - right_channel(network, images, targets)


def nothing(network, images, targets):
    return torch.zeros(len(images), *images.shape[2:])


METHODS = {
    "right": right_channel, "gradient": "gradient-x-input", "wrong": other_channels, "nothing": nothing,
    "constant": "constant",
}  # fmt: skip


def test_closed_form(colours, plain):
    truth = hp.planted(colours, plain, METHODS)
    assert [place.picture for place in truth.planted.places] == [0] * 4 + [1] * 4 + [2] * 4
    assert len(truth.places) == 12
    for quantity in ("share", "pointing"):
        means = {name: found.mean for name, found in truth.estimates[quantity].items()}
        expected = {"right": 1, "gradient": 1, "wrong": 0, "nothing": 0.25, "constant": 0.25}
        assert means == pytest.approx(expected, abs=1e-6)
    assert truth.chance == 0.25
    assert truth.without_evidence == {"right": 0, "gradient": 0, "wrong": 0, "nothing": 12, "constant": 12}
    assert truth.above_chance["share"]["constant"].estimate.mean == 0


def test_agrees_with_heatmaps_made_one_by_one(network, images, targets):
    truth = hp.planted(network, images, ["lrp-epsilon", "random"], targets=targets, seen=0.2)
    source = GivenImages(images, truth.planted.photographs)
    row = 0
    for place in truth.planted.places:
        mosaic = drawn_pictures(truth.planted, source, [place.picture])[0][place.picture]
        probability = network.logits(mosaic[None]).double().softmax(dim=1)[0, place.target]
        assert place.target == targets[place.number]
        assert place.probability == pytest.approx(float(probability), rel=1e-5)
        if probability <= 0.2:
            continue
        for method in ("lrp-epsilon", "random"):
            heatmap = explain(network, mosaic[None], method, targets=place.target).numpy()
            here = inside(truth.planted, [place]).numpy()
            measured = truth.found.found.measured[method]
            assert measured["share"][row] == pytest.approx(positive_share(heatmap, here)[0], rel=1e-4)
            assert measured["pointing"][row] == pointing_game(heatmap, here)[0]
        row += 1
    assert 0 < row == len(truth.places) < len(truth.planted.places)


def test_what_rounding_leaves_is_no_difference(colours, plain):
    """A map that is the same in all tiles, whose sums in float32 are not."""
    images = plain.repeat(4, 1, 1, 1) * torch.linspace(0.8, 1, 48).view(-1, 1, 1, 1)
    truth = hp.planted(colours, images, ["centre-gaussian", "constant"])
    assert truth.above_chance["share"]["centre-gaussian"].sign_flip == 1
    assert not any(one.significant for one in truth.differences.values())


def test_tiles_of_a_mosaic_are_averaged_first(network, images, targets):
    truth = hp.planted(network, images, ["lrp-epsilon", "sobel"], targets=targets, seen=0.2)
    frame = truth.frame().filter(pl.col("method") == "sobel").group_by("picture", maintain_order=True)
    shares = frame.agg(pl.col("share").mean(), pl.col("chance").mean())
    np.testing.assert_allclose(truth.values["share"]["sobel"], shares["share"])
    assert truth.pictures == len(shares)
    above = truth.above_chance["share"]["sobel"]
    excess = estimate((shares["share"] - shares["chance"]).to_numpy())
    assert above.estimate.mean == pytest.approx(excess.mean)
    assert above.images == truth.pictures


def test_nothing_depends_on_batches_or_the_order_of_photographs(network, images, targets):
    names, methods = [f"{number}.png" for number in range(30)], ["lrp-epsilon", "random", "sobel"]
    whole = hp.planted(network, images, methods, targets=targets, names=names, seed=3)
    order = np.random.default_rng(1).permutation(30).tolist()
    again = hp.planted(
        network, images[order], methods, targets=targets[order], names=[names[i] for i in order], seed=3, memory=1
    )
    for found, expected in ((again.frame(), whole.frame()), (again.places_frame(), whole.places_frame())):
        assert_frame_equal(found, expected, rel_tol=1e-4)
    assert not hp.planted(network, images, methods, targets=targets, names=names).frame().equals(whole.frame())


def test_other_places_of_methods_change_nothing(network, images, targets):
    one = hp.planted(network, images, ["lrp-epsilon", "sobel"], targets=targets)
    other = hp.planted(network, images, ["sobel", "lrp-epsilon"], targets=targets)
    for method in ("lrp-epsilon", "sobel"):
        mine, theirs = (study.frame().filter(pl.col("method") == method) for study in (one, other))
        assert mine.equals(theirs)
    assert one.table() == other.table()


def test_a_larger_grid(images):
    wide = hp.Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 15 * 15, 10)))
    found = hp.planted(wide, images, ["constant"], targets=torch.arange(30) % 10, grid=3)
    assert len(found.planted.places) == 27
    np.testing.assert_allclose(found.values["share"]["constant"], 1 / 9)


def test_mosaics_of_twice_the_size(colours, plain, network, images, targets):
    truth = hp.planted(colours, plain, METHODS, enlarge=2)
    assert truth.found.shown.images.shape[1:] == (4, 24, 24)
    assert truth.estimates["share"]["right"].mean == pytest.approx(1)
    with pytest.raises(hp.InputError, match=r"does not take mosaics of 30 × 30 pixels \(enlarge=2\); give enlarge=1: "):
        hp.planted(network, images, ["random"], targets=targets, enlarge=2)


def test_what_is_said(colours, plain):
    truth = hp.planted(colours, plain.repeat(4, 1, 1, 1) * torch.linspace(0.8, 1, 48).view(-1, 1, 1, 1), METHODS)
    assert truth.pictures == 12
    assert truth.verdict == [
        "gradient finds the right tile best: 1 [1, 1] of its positive relevance lies there, where chance is 0.25; it "
        "is not significantly better than right.",
        "Significantly above chance: gradient and right; significantly below chance: wrong; no significant difference "
        "from chance: constant and nothing (p ≤ 0.05, Holm-corrected).",
        "Not significantly different: gradient from right; constant from nothing; all other pairs of methods differ "
        "significantly.",
        "Pointing game: the largest value lies in the right tile most often for gradient (1 [1, 1]).",
        "Intervals are 95 % intervals over 12 mosaics, tiles of a mosaic averaged first.",
    ]
    assert truth.warnings == [
        f"48 of 48 heatmaps of {name} have no positive relevance, and count as chance"
        for name in ("nothing", "constant")
    ]
    assert [row[0] for row in truth.table().rows] == ["gradient", "right", "constant", "nothing", "wrong", "chance"]
    assert len(truth.differences_table().rows) == 2 * 10


def test_photographs_that_are_left(colours, plain):
    truth = hp.planted(colours, plain[:6], ["gradient-x-input"])
    assert truth.warnings == [
        "2 photographs of 6 are in no mosaic: there are too few of other classes, or not enough for one more"
    ]
    assert "With 1 mosaic no test" in str(truth)
    assert truth.verdict[0] == (
        "No method is significantly above chance (0.25); gradient-x-input has the largest share, 1 (no interval)."
    )


def test_the_run_directory(network, images, targets, tmp_path):
    names = [f"<{number}>.png" for number in range(30)]
    truth = hp.planted(
        network, images, ["lrp-epsilon", "random"], targets=targets, names=names, skipped=[("bad.png", "broken")]
    )
    truth.save(tmp_path / "RUN", reproduce="heatproof planted …")
    assert {"gallery.png", "heatmaps.zarr", "places.parquet", "planted.json", "report.html", "run.json",
            "scores.parquet", "shards", "shares.svg", "table.csv"} <= {
        path.name for path in (tmp_path / "RUN").iterdir()
    }  # fmt: skip
    frame = pl.read_parquet(tmp_path / "RUN" / "scores.parquet")
    assert frame.columns == ["picture", "image", "target", "class", "method", "share", "pointing", "chance"]
    assert frame.height == 2 * len(truth.places)
    places = pl.read_parquet(tmp_path / "RUN" / "places.parquet")
    assert places.height == len(truth.planted.places)
    assert places.filter("seen").height == len(truth.places)
    run = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert (run["study"], run["complete"], run["plan"]["planted"]["grid"]) == ("planted", False, 2)
    page = (tmp_path / "RUN" / "report.html").read_text()
    assert "1 of 31 pictures could not be used" in page
    assert "<3>.png" not in page
    assert truth.report(tmp_path / "page.html").is_file()


def test_a_run_without_what_was_planted_or_with_something_else(colours, plain, tmp_path):
    store, path = open_store(tmp_path / "RUN"), tmp_path / "RUN" / "planted.json"
    hp.planted(colours, plain, METHODS).save(tmp_path / "RUN")
    content = json.loads(path.read_text())
    content["places"][0]["box"] = [0, 0, 13, 6]
    path.write_text(json.dumps(content))
    with pytest.raises(hp.InputError, match=r"planted\.json of .*must hold boxes inside pictures of 12 × 12"):
        read_study(store)
    content["places"] = content["places"][1:]
    path.write_text(json.dumps(content))
    with pytest.raises(hp.InputError, match=r"planted\.json of .* does not say where .* lies"):
        read_study(store)
    path.unlink()
    with pytest.raises(hp.InputError, match=r"has no planted\.json, which says what its heatmaps are to find"):
        read_study(store)


def test_progress_reaches_the_end(network, images, targets):
    seen = []
    hp.planted(
        network,
        images,
        ["random"],
        targets=targets,
        memory=1,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1] > 1
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_what_is_refused(network, images, targets):
    with pytest.raises(hp.InputError, match="unknown method 'lpr'"):
        hp.planted(network, images, ["lpr"])
    with pytest.raises(hp.InputError, match=r"mine: expected the name of a method or a callable .*, got precomputed"):
        hp.planted(network, images, {"mine": torch.zeros(30, 15, 15)})
    with pytest.raises(hp.InputError, match="mine: expected the name of a method"):
        hp.planted(network, images, {"mine": Path("maps.npz")})
    with pytest.raises(
        hp.InputError, match=r"the network sees no class in its mosaics: all probabilities are 0\.99 or"
    ):
        hp.planted(network, images, ["random"], targets=targets, seen=0.99)
    with pytest.raises(hp.InputError, match="needs photographs of 4 classes, got 30 photographs of 1"):
        hp.planted(network, images, ["random"], targets=2)
    with pytest.raises(hp.InputError, match=r"targets must lie in 0 … 4, got 0 … 29"):
        hp.planted(network, images, ["random"], targets=torch.arange(30))
    with pytest.raises(hp.InputError, match="unknown kind 'mosaic'; did you mean 'mosaics'"):
        hp.planted(network, images, ["random"], kind="mosaic")
    with pytest.raises(hp.InputError, match="grid and enlarge are options of mosaics"):
        hp.planted(network, images, ["random"], kind="patch", grid=3)
    with pytest.raises(hp.InputError, match="grid must be a whole number from 2 to 3, got 4"):
        hp.planted(network, images, ["random"], grid=4)
    with pytest.raises(hp.InputError, match="seen must be a number from 0 to 1, got 5"):
        hp.planted(network, images, ["random"], seen=5)


@pytest.mark.slow
def test_a_real_network():
    """Composites find their tile best, epsilon less, and deconvolution hardly at all."""
    weights, folder = SHARED / "weights" / "squeezenet1_0_imagenet.safetensors", SHARED / "data" / "ilsvrc2012-sample"
    if not (weights.is_file() and folder.is_dir()):
        pytest.skip("needs the weights and pictures beside the checkout (shared)")
    network = hp.load_network("torchvision:squeezenet1_0", weights=weights, preprocessing=IMAGENET)
    paths = sorted(folder.rglob("*.[jJ][pP]*"))[::2]
    methods = ["lrp-epsilon-plus-flat", "lrp-epsilon", "deconvolution-l2", "centre-gaussian"]
    images = hp.load_images(paths, network)
    truth = hp.planted(network, images, methods)
    means = {name: found.mean for name, found in truth.estimates["share"].items()}
    assert means["lrp-epsilon-plus-flat"] > means["lrp-epsilon"] + 0.1
    assert means["lrp-epsilon"] > means["deconvolution-l2"] + 0.05
    assert truth.above_chance["share"]["lrp-epsilon-plus-flat"].above
    assert abs(means["centre-gaussian"] - truth.chance) < 0.01
    patch = hp.planted(network, images, ["lrp-epsilon-plus-flat", "sobel", "centre-gaussian"], kind="patch")
    assert patch.planted.patch.accuracy >= 0.85
    assert patch.estimates["share"]["lrp-epsilon-plus-flat"].mean > 5 * patch.chance
    assert [name for name, one in patch.above_chance["share"].items() if one.above] == ["lrp-epsilon-plus-flat"]
