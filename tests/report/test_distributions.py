"""What the scatter and the boxes show."""

import numpy as np
import pytest

from heatproof.errors import InputError
from heatproof.report import save_figure
from heatproof.report.charts import BoxesChart, ScatterChart
from heatproof.report.distributions import boxes_figure, scatter_figure

LONG = "lrp-alphabeta[alpha=1,beta=0,bias=exclude] of a network with a very long name indeed"


def scatter(points, **changes):
    words = {"name": "sizes", "caption": "sizes", "x": "PNG (KB)", "y": "JPEG (KB)"} | changes
    return scatter_figure(ScatterChart(points=points, **words))


def boxes(values, **changes):
    words = {"name": "entropy", "caption": "entropy", "x": "bits", "y": "method"} | changes
    return boxes_figure(BoxesChart(values=values, **words))


def test_every_image_is_a_point_and_every_method_has_its_mean():
    rng = np.random.default_rng(0)
    points = {"a": rng.random((7, 2)), "b": rng.random((5, 2))}
    lines = scatter(points).axes[0].lines
    assert [len(line.get_xdata()) for line in lines] == [7, 1, 5, 1]
    np.testing.assert_allclose(np.column_stack(lines[2].get_data()), points["b"])
    np.testing.assert_allclose(np.ravel(lines[1].get_data()), points["a"].mean(axis=0))


def test_boxes_show_median_and_quartiles():
    values = {"a": np.arange(101.0), "b": np.array([3.0])}
    figure = boxes(values)
    medians = [line.get_xdata() for line in figure.axes[0].lines if line.get_linewidth() == 1.4]
    assert [data.tolist() for data in medians] == [[50, 50], [3, 3]]
    box = figure.axes[0].patches[0].get_path().vertices
    assert (box[:, 0].min(), box[:, 0].max()) == (25, 75)
    assert figure.axes[0].yaxis_inverted()  # the first method stands on top


@pytest.mark.parametrize("count", [1, 3, 20])
def test_many_methods_and_long_names_fit(count):
    names = [f"{LONG} {number}" for number in range(count)]
    for figure in (scatter({n: np.ones((3, 2)) for n in names}), boxes({n: np.arange(4.0) for n in names})):
        figure.draw_without_rendering()
        width, height = figure.bbox.size
        shown = [text for axes in figure.axes for text in (*axes.texts, *axes.get_yticklabels()) if text.get_text()]
        for text in shown:
            box = text.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= width
            assert box.y1 <= height


def test_they_become_the_same_files_each_time(tmp_path):
    values = {"a $x_1$": np.arange(9.0)}
    first = [path.read_bytes() for path in save_figure(boxes(values), tmp_path / "boxes")]
    assert first == [path.read_bytes() for path in save_figure(boxes(values), tmp_path / "boxes")]


@pytest.mark.parametrize(
    ("draw", "values", "message"),
    [
        (scatter, {}, "at least one method"),
        (boxes, {}, "at least one method"),
        (scatter, {"a": np.ones((3, 3))}, r"values of 'a' must be finite and have shape \(N, 2\), got \(3, 3\)"),
        (boxes, {"a": np.ones((3, 2))}, r"must be finite and have shape \(N,\), got \(3, 2\)"),
        (boxes, {"a": np.array([])}, "must be finite"),
        (boxes, {"a": np.array([np.nan])}, "must be finite"),
    ],
)
def test_what_cannot_be_drawn(draw, values, message):
    with pytest.raises(InputError, match=message):
        draw(values)
