"""Results in a notebook: what stands last in a cell shows itself."""

import base64
import io
import re

import matplotlib
import numpy as np
import polars as pl
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

import heatproof as hp

NOTEBOOK = """
network = hp.Network(module, name="<b>tiny</b>", classes=["a", "b"])
---
network
---
curves = hp.perturb(network, images, hp.explain(network, images, "sensitivity-l2"), regions=6, repeats=2)
curves
---
study = hp.compare(network, images, {"<i>mine</i>": "sensitivity-l2", "LRP": "lrp-epsilon"}, regions=6, audit=0)
study
---
study.table()
---
hp.compare_replacements(network, images, ["uniform", "black"], regions=6)
---
hp.assess(network, {"<u>one</u>": module.state_dict(), "two": module.state_dict()}, images, regions=6)
---
hp.complexity(network, images, ["sensitivity-l2", "random"])
---
hp.plan_comparison(network, images, ["sensitivity-l2"], regions=6)
---
hp.plan_comparison(network, images, ["sensitivity-l2"], regions=6, half_width="0.5", audit=0, pilot=6)
---
study.curves
"""


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).random((6, 3, 18, 18), dtype=np.float32))


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hp.Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 2)))


@pytest.fixture(scope="module")
def study(network, images):
    return hp.compare(
        network,
        images,
        ["sensitivity-l2", "lrp-epsilon"],
        regions=6,
        repeats=2,
        lerf=True,
        audit=0,
        protocol="samek2017",
    )


def run(cells, **names):
    """Runs the cells one after the other; returns what each shows, as a notebook does: the value of its last line."""
    shown = []
    for cell in cells:
        *before, last = cell.strip().splitlines()
        exec("\n".join(before), names)
        try:
            value = eval(last, names)
        except SyntaxError:
            exec(last, names)
        else:
            shown.append(value._repr_html_())
    return shown


def test_every_result_shows_itself_and_no_name_becomes_markup(network, images):
    shown = run(NOTEBOOK.split("---"), hp=hp, module=network.module, images=images)
    assert len(shown) == 10
    for text in shown:
        assert "<table" in text
        assert len(text) < 300_000
        assert not re.search(r"<(b|i|u)>(tiny|mine|one)", text)
        assert "http" not in re.sub(r"base64,[^\"]*", "", text).replace("http://www.w3.org", "")
    assert "&lt;b&gt;tiny&lt;/b&gt;" in shown[0]
    assert "&lt;i&gt;mine&lt;/i&gt;" in shown[2]
    assert "repeats</th><td>2</td>" in shown[1]


def test_a_study_shows_its_table_its_verdict_and_its_figure(study):
    text = study._repr_html_()
    assert all(sentence.split("<")[0][:40] in text for sentence in study.verdict)
    encoded = re.search(r'src="data:image/png;base64,([^"]+)"', text)[1]
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        assert picture.width > 500


def test_curves_are_a_frame_of_every_score(study, images):
    frame = study.curves
    assert isinstance(frame, pl.DataFrame)
    assert frame is study.curves
    assert {"image", "method", "order", "repeat", "step", "score"} <= set(frame.columns)
    assert frame.height == len(images) * 2 * 10 * (2 * 2 + 1)
    for name, curves in study.morf.items():
        order = "random" if name == "random order" else "morf"
        scores = frame.filter((pl.col("method") == name) & (pl.col("order") == order))["score"]
        assert np.array_equal(scores.to_numpy(), curves.scores.flatten().numpy())


def test_other_studies_have_frames_too(network, images):
    replacements = hp.compare_replacements(network, images, ["uniform", "black"], regions=6)
    assert set(replacements.curves["replacement"]) == {"uniform", "black"}
    assert set(replacements.both) == {"uniform", "black"}
    checkpoints = hp.assess(network, {"one": network.module.state_dict()}, images, regions=6)
    assert set(checkpoints.curves["checkpoint"]) == {"one"}


class TestPlot:
    def test_on_axes_of_yours(self, study):
        axes = Figure().subplots()
        assert study.plot(axes) is axes
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["sensitivity-l2", "lrp-epsilon"]
        (line,) = [line for line in axes.lines if line.get_label() == "lrp-epsilon"]
        difference = hp.aopc(study.morf["lrp-epsilon"]) - hp.aopc(study.morf["random order"])
        assert line.get_ydata()[-1] == pytest.approx(float(difference.double().mean()), abs=1e-5)

    def test_on_new_ones(self, study):
        from matplotlib import pyplot

        with matplotlib.rc_context({"backend": "Agg"}):
            axes = study.plot()
        assert isinstance(axes, Axes)
        pyplot.close(axes.figure)
