"""How simple heatmaps are, as a study."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.measures import estimate
from heatproof.measures.complexity import entropy, gini, jpeg_size, png_size
from heatproof.report import heatmap_rgb


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 30 * 30, 3)))


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).random((9, 3, 32, 32), dtype=np.float32))


def made(count):
    """Heatmaps from empty over a square to noise."""
    empty, square = torch.zeros(count, 32, 32), torch.zeros(count, 32, 32)
    square[:, 4:20, 10:22] = 1
    noise = torch.from_numpy(np.random.default_rng(1).standard_normal((count, 32, 32)))
    return {"noise": noise, "empty": empty, "square": square}


def test_values_are_those_of_the_pictures_that_reports_show(network, images):
    study = hp.complexity(network, images, ["lrp-epsilon", "sensitivity-l2"])
    maps = hp.explain(network, images, "lrp-epsilon").numpy()
    pictures = np.stack([heatmap_rgb(heatmap) for heatmap in maps])
    sizes = {"PNG": png_size(pictures), "JPEG": jpeg_size(pictures)}
    for quantity, expected in (sizes | {"entropy": entropy(pictures), "Gini": gini(maps)}).items():
        np.testing.assert_allclose(study.values[quantity]["lrp-epsilon"], expected, rtol=1e-6)


def test_values_do_not_depend_on_batches(network, images):
    methods = {"drawn": "random", "given": made(9)["noise"]}
    whole = hp.complexity(network, images, methods)
    parts = hp.complexity(network, images, methods, memory=1)
    assert whole.frame().equals(parts.frame())
    for name, maps in whole.heatmaps.items():
        assert maps.shape == (6, 32, 32)
        np.testing.assert_array_equal(maps, parts.heatmaps[name])


def test_the_order_from_simple_to_complex(network, images):
    study = hp.complexity(network, images, made(9))
    assert study.ordered("PNG") == study.ordered("JPEG") == study.ordered("entropy") == ["empty", "square", "noise"]
    assert study.ordered("Gini")[0] == "square"
    assert [row[0] for row in study.table().rows] == ["empty", "square", "noise"]
    assert study.warnings == ["9 of 9 heatmaps of empty have a single colour: they are simple, but show nothing"]
    assert study.verdict[0].startswith("PNG file size: empty is simplest (")
    assert "empty is significantly simpler than square on the same images" in study.verdict[0]


def test_differences_are_paired_and_point_to_the_simpler_one(network, images):
    study = hp.complexity(network, images, made(9))
    sizes, sparsity, found = study.values["PNG"], study.values["Gini"], study.differences
    assert found["PNG", "square", "noise"].estimate == estimate(sizes["noise"] - sizes["square"])
    assert found["Gini", "square", "noise"].estimate == estimate(sparsity["square"] - sparsity["noise"])
    assert len(found) == 4 * 3
    assert {row[-1] for row in study.differences_table().rows} == {"yes"}


def test_equal_methods_are_not_significantly_different(network, images):
    noise = made(9)["noise"]
    study = hp.complexity(network, images, {"one": noise, "the same": noise.clone()})
    assert all("is not significantly simpler than" in sentence for sentence in study.verdict[:4])


def test_one_method_on_one_image(network, images):
    study = hp.complexity(network, images[:1], ["random"])
    assert study.verdict[0].startswith("PNG file size of random: ")
    assert set(study.figures()) == {"sizes", "entropy", "gallery"}


def test_the_run_directory(network, images, tmp_path):
    names = [f"<{number}>.png" for number in range(9)]
    study = hp.complexity(network, images, made(9), names=names, skipped=[("bad.png", "broken")])
    study.save(tmp_path / "RUN", reproduce="heatproof complexity …")
    assert sorted(path.name for path in (tmp_path / "RUN").iterdir()) == [
        "entropy.png", "entropy.svg", "gallery.png", "gallery.svg", "heatmaps.zarr", "report.html", "reproduce.md",
        "run.json", "scores.parquet", "shards", "sizes.png", "sizes.svg", "table.csv", "table.md",
        "written.jsonl",
    ]  # fmt: skip
    frame = pl.read_parquet(tmp_path / "RUN" / "scores.parquet")
    assert frame.columns == ["image", "method", "png_kb", "jpeg_kb", "entropy_bits", "gini"]
    assert frame.height == 27
    chosen = frame.filter((pl.col("method") == "noise") & (pl.col("image") == "<3>.png"))
    assert chosen["png_kb"].item() == study.values["PNG"]["noise"][3]
    run = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert (run["study"], run["complete"], run["encoders"]["jpeg"]["quality"]) == ("complexity", False, 90)
    page = (tmp_path / "RUN" / "report.html").read_text()
    assert "1 of 10 pictures could not be used" in page
    assert "<3>.png" not in page


def test_progress_reaches_the_end(network, images):
    seen = []
    hp.complexity(network, images, ["random"], memory=1, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (9, 9)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_what_is_refused(network, images):
    with pytest.raises(hp.InputError, match="unknown method 'lpr'"):
        hp.complexity(network, images, ["lpr"])
    with pytest.raises(hp.InputError, match="at least one method"):
        hp.complexity(network, images, [])
    with pytest.raises(hp.InputError, match="heatmaps of mine must have shape"):
        hp.complexity(network, images, {"mine": torch.zeros(3, 32, 32)})
