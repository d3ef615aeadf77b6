"""Pairs of curves with the area between them, and pictures in rows."""

import numpy as np
import pytest

from heatproof.errors import InputError
from heatproof.report.areas import areas_figure
from heatproof.report.charts import AreasChart, Band, Panel
from heatproof.report.figures import figure_bytes
from heatproof.report.gallery import pictures_figure

STEPS = np.arange(11.0)


def areas(panels, title=""):
    return areas_figure(AreasChart(name="areas", caption=title, x="removed regions", y="score (logit)", panels=panels))


def band(name, middle, width=0.5):
    return Band(name, middle, middle - width, middle + width)


def panel(name="uniform", upper=10 - 0.1 * STEPS, lower=10 - STEPS):
    return Panel(name, "ABPC 4.5 [4, 5]", band("LeRF", upper), band("MoRF", lower))


def texts(figure):
    return [text.get_text() for text in figure.texts]


def test_each_panel_holds_both_curves_and_the_area_between():
    figure = areas([panel("uniform"), panel("blur")], title="Areas")
    assert len(figure.axes) == 2
    for axes in figure.axes:
        curves = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
        np.testing.assert_array_equal(curves["LeRF"].get_ydata(), 10 - 0.1 * STEPS)
        np.testing.assert_array_equal(curves["MoRF"].get_ydata(), 10 - STEPS)
        shaded = np.concatenate([path.vertices for area in axes.collections for path in area.get_paths()])
        assert shaded[:, 1].min() == 0
        assert shaded[:, 1].max() == 10
    assert {"uniform", "blur", "ABPC 4.5 [4, 5]", "━ LeRF", "━ MoRF"} <= set(texts(figure))


def test_all_panels_have_the_same_axes_that_hold_all_values():
    figure = areas([panel(), panel("low", lower=-5 - STEPS)])
    first, second = figure.axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[0] < -15.5
    assert first.get_ylim()[1] > 10.5


def test_an_area_that_counts_as_negative_is_hatched():
    def hatched(figure):
        return [area for area in figure.axes[0].collections if area.get_hatch() and area.get_paths()[0].vertices.any()]

    def drawn(figure):
        return [area for area in hatched(figure) if np.ptp(area.get_paths()[0].vertices[:, 1]) > 0]

    crossed = areas([panel(upper=10 - STEPS, lower=10 - 0.1 * STEPS)])
    assert drawn(crossed)
    assert any("hatched" in text for text in texts(crossed))
    assert not any("hatched" in text for text in texts(areas([panel()])))


@pytest.mark.parametrize("count", [1, 4, 5, 7, 10])
def test_any_number_of_panels_fits(count):
    figure = areas([panel(f"number {i}") for i in range(count)], title="Title")
    assert len(figure.axes) == count
    width, height = figure.get_size_inches()
    assert 0 < height < 12
    assert width < 14
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    assert figure_bytes(figure, "png") == figure_bytes(figure, "png")


def test_curves_without_intervals():
    nothing = np.full(11, np.nan)
    alone = Panel("uniform", "", Band("LeRF", STEPS, nothing, nothing), Band("MoRF", -STEPS, nothing, nothing))
    figure = areas([alone])
    assert not any("intervals" in text for text in texts(figure))
    figure_bytes(figure, "svg")


def test_what_it_refuses():
    with pytest.raises(InputError, match="at least one pair of curves to draw, got none"):
        areas([])
    with pytest.raises(InputError, match=r"middle of curve 'MoRF' must have shape \(11,\) .*'short'.*, got \(3,\)"):
        areas([panel(), panel("short", lower=STEPS[:3])])


class TestPictures:
    def test_rows_and_columns(self):
        pictures = {"image": np.ones((2, 8, 12, 3)), "black": np.zeros((2, 8, 12, 3))}
        figure = pictures_figure(pictures, ["cat.png", "dog.png"], title="Removed")
        shown = [axes.images[0].get_array() for axes in figure.axes]
        assert [float(picture.mean()) for picture in shown] == [1, 0, 1, 0]
        assert {"image", "black", "cat.png", "dog.png", "Removed"} <= set(texts(figure))

    def test_what_it_refuses(self):
        with pytest.raises(InputError, match="pictures must have one shape"):
            pictures_figure({"a": np.ones((2, 8, 8, 3)), "b": np.ones((2, 8, 9, 3))}, ["", ""])
        with pytest.raises(InputError, match="one caption per image = 2, got 1"):
            pictures_figure({"a": np.ones((2, 8, 8, 3))}, [""])
