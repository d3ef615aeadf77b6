"""What the figures show, and the files that they become."""

import itertools
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from heatproof.errors import InputError
from heatproof.report import figures as figures_module
from heatproof.report import gallery_figure, heatmap_figure, heatmap_rgb, save_figure
from heatproof.report.charts import Band, CurvesChart
from heatproof.report.curves import curves_figure, spread
from heatproof.report.figures import figure_bytes
from heatproof.report.gallery import symmetric_scale
from heatproof.report.style import legible, line_style, shortened, width_of, wrapped

STRANGE = [
    "$x_1$ and $",
    "a_b^c{\\frac.png",
    "猫の写真.png",
    "🙂👍🏽.png",
    "zero\x00\x1b[31m\udcff",
    "tab\tnew\nline",
    "ش‏ע",
    "",
]
LONG = "lrp-alphabeta[alpha=1,beta=0,bias=exclude]"


def band(name, end=1.0, steps=10, **options):
    middle = end * np.linspace(0, 1, steps + 1)
    return Band(name, middle=middle, low=middle - 0.1, high=middle + 0.1, **options)


def curves(bands, **changes):
    fraction = np.linspace(0, 0.157, len(bands[0].middle) if bands else 1)
    words = {"name": "aopc", "caption": "AOPC", "x": "removed regions", "y": "AOPC", "removed_fraction": fraction}
    return curves_figure(CurvesChart(bands=bands, **words | changes))


def texts(figure):
    found = [text.get_text() for text in figure.texts]
    return found + [text.get_text() for axes in figure.axes for text in axes.texts]


def gallery(names=("one", "two"), n=3, height=12, width=20):
    rng = np.random.default_rng(0)
    heatmaps = {name: rng.standard_normal((n, height, width)) for name in names}
    return gallery_figure(rng.random((n, height, width, 3)), heatmaps, [f"{i}.png" for i in range(n)])


def text_boxes(figure):
    figure.draw_without_rendering()
    shown = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return [text.get_window_extent() for text in shown if text.get_text()]


def test_every_curve_is_a_line_and_a_band():
    axes = curves([band("a", 1), band("b", 2), band("random", 0.5, is_reference=True)]).axes[0]
    assert [line.get_label() for line in axes.lines if line.get_label() != "zero"] == ["a", "b", "random"]
    assert sum(isinstance(drawn, PolyCollection) for drawn in axes.collections) == 3


def test_a_band_spans_its_interval():
    (drawn,) = curves([band("a", 2)]).axes[0].collections
    np.testing.assert_allclose([drawn.get_datalim(drawn.axes.transData).y0], [-0.1])
    np.testing.assert_allclose([drawn.get_datalim(drawn.axes.transData).y1], [2.1])


@pytest.mark.parametrize(("ends", "expected"), [((1, 2), False), ((-1, 1), True)])
def test_zero_line_only_where_values_have_both_signs(ends, expected):
    bands = [Band(str(e), *[e * np.linspace(0, 1, 5)] * 3) for e in ends]
    assert any(line.get_label() == "zero" for line in curves(bands).axes[0].lines) is expected


def test_reference_is_dashed_grey_and_does_not_take_a_colour():
    first = curves([band("random", is_reference=True), band("a", 2)]).axes[0].lines
    last = curves([band("a", 2), band("random", is_reference=True)]).axes[0].lines
    styles = [{line.get_label(): (line.get_color(), line.get_linestyle()) for line in lines} for lines in (first, last)]
    assert styles[0] == styles[1]
    assert styles[0]["random"] == ("#7a7a7a", "--")


def test_twenty_eight_curves_look_different():
    assert len({str(line_style(i)) for i in range(28)}) == 28


def test_names_stand_in_the_order_of_the_last_values_and_do_not_overlap():
    ends = [3.0, 3.01, 2.99, 3.02, 8.0, 3.0, 0.0, 0.01, 0.02, 8.01, 7.99, 5.0]
    figure = curves([band(f"{i} {LONG}", end) for i, end in enumerate(ends)])
    written = sorted(figure.axes[1].texts, key=lambda text: -text.get_position()[1])
    values = [ends[int(text.get_text().split()[0])] for text in written]
    assert values == sorted(ends, reverse=True)
    boxes = [text.get_window_extent() for text in written]
    assert all(lower.y1 <= upper.y0 for upper, lower in itertools.pairwise(boxes))
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)


def test_thirty_names_fit_by_a_taller_figure():
    figure = curves([band(f"method {i}", 1) for i in range(30)])
    boxes = sorted((text.get_window_extent() for text in figure.axes[1].texts), key=lambda box: box.y0)
    assert all(lower.y1 <= upper.y0 for lower, upper in itertools.pairwise(boxes))
    assert boxes[0].y0 > 0
    assert boxes[-1].y1 < figure.bbox.height


@pytest.mark.parametrize("seed", range(5))
def test_spread_keeps_distance_room_and_order(seed):
    wanted = np.random.default_rng(seed).uniform(-20, 120, size=9)
    placed = spread(wanted, gap=11, room=100)
    assert (np.diff(np.sort(placed)) >= 11 - 1e-9).all()
    assert placed.min() >= -1e-9
    assert placed.max() <= 100 + 1e-9
    np.testing.assert_array_equal(np.argsort(placed), np.argsort(wanted))


def test_spread_leaves_alone_what_does_not_collide():
    np.testing.assert_array_equal(spread(np.array([70.0, 5.0, 40.0]), gap=10, room=100), [70, 5, 40])


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_few_steps_and_missing_intervals_are_drawn(steps):
    nothing = np.full(steps + 1, np.nan)
    figure = curves([Band("one image", np.ones(steps + 1), nothing, nothing), Band("no value", *[nothing] * 3)])
    assert figure_bytes(figure, "png")
    assert "bands: 95 % intervals" not in texts(figure)
    assert "bands: 95 % intervals" in texts(curves([band("a", steps=steps)]))


def test_upper_axis_shows_the_removed_share():
    figure = curves([band("a", steps=100)], removed_fraction=np.linspace(0, 0.5, 101))
    (top,) = figure.axes[0].child_axes
    shown = {label.get_text(): tick for label, tick in zip(top.get_xticklabels(), top.get_xticks(), strict=True)}
    assert shown["10"] == pytest.approx(20)
    assert shown["50"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("bands", "changes", "message"),
    [
        ([], {}, "at least one curve"),
        ([band("a", steps=4)], {"removed_fraction": np.zeros(3)}, r"middle of curve 'a' .* \(3,\) .* got \(5,\)"),
        ([band("a", steps=2)], {"removed_fraction": np.array([0, 0.2, 0.1])}, "never falls"),
    ],
)
def test_curves_that_cannot_be_drawn(bands, changes, message):
    with pytest.raises(InputError, match=message):
        curves(bands, **changes)


def test_zero_heatmap_is_white():
    assert (heatmap_rgb(np.zeros((3, 5))) == 255).all()
    assert (heatmap_rgb(np.zeros((3, 5)), scale=2.0) == 255).all()


def test_evidence_for_is_red_and_against_is_blue():
    (red, _, blue), (red_against, _, blue_against) = heatmap_rgb(np.array([[1.0, -1.0]]))[0].astype(int)
    assert red > blue + 100
    assert blue_against > red_against + 100


def test_negating_the_map_swaps_red_and_blue():
    heatmap = np.random.default_rng(0).standard_normal((7, 9))
    np.testing.assert_array_equal(heatmap_rgb(-heatmap), heatmap_rgb(heatmap)[..., ::-1])


def test_more_evidence_is_never_paler():
    colours = heatmap_rgb(np.linspace(0, 1, 300)[None], scale=1.0)[0].astype(int).sum(axis=1)
    assert (np.diff(colours) <= 0).all()
    assert colours[0] - colours[-1] > 300


def test_colours_do_not_depend_on_the_unit():
    heatmap = np.random.default_rng(0).standard_normal((7, 9))
    for unit in (1e-300, 1e300):
        np.testing.assert_array_equal(heatmap_rgb(unit * heatmap), heatmap_rgb(heatmap))


def test_scale_is_a_quantile_and_survives_sparse_and_broken_maps():
    heatmap = np.ones((100, 100))
    heatmap[0, :10] = 1e6
    assert symmetric_scale(heatmap) == 1.0
    lonely = np.zeros((100, 100))
    lonely[0, 0] = -3.0
    assert symmetric_scale(lonely) == 3.0
    assert symmetric_scale(np.array([[np.nan, -np.inf, 2.0]])) == 2.0


def test_nan_is_grey_and_infinity_full():
    nan, plus, minus = heatmap_rgb(np.array([[np.nan, np.inf, -np.inf]]), scale=1.0)[0]
    assert len(set(nan.tolist())) == 1
    assert nan[0] < 255
    np.testing.assert_array_equal(plus, minus[::-1])
    assert plus[0] > plus[2]


def test_gallery_has_a_picture_per_image_and_method():
    figure = gallery(names=("one", "two"), n=3)
    assert len(figure.axes) == 3 * (1 + 2) + 1  # and the colour bar
    assert {"image", "one", "two", "0.png", "1.png", "2.png"} <= set(texts(figure))
    bar = figure.axes[-1]
    assert [label.get_text() for label in bar.get_xticklabels()] == ["\N{MINUS SIGN}1", "0", "1"]
    assert "evidence against … for the class" in bar.get_xlabel()


def test_every_map_is_shown_in_units_of_its_own_quantile():
    ramp = np.linspace(-1, 1, 64).reshape(8, 8)
    heatmaps = {"a": np.stack([ramp, 0.5 * ramp]), "b": 1000 * np.stack([ramp, -ramp]), "c": np.zeros((2, 8, 8))}
    figure = gallery_figure(np.ones((2, 8, 8, 3)), heatmaps, ["", ""])
    shown = np.array([axes.images[0].get_array() for axes in figure.axes[:-1]]).reshape(2, 4, 8, 8, 3)
    np.testing.assert_array_equal(shown[0, 1], shown[1, 1])
    np.testing.assert_array_equal(shown[0, 1], shown[0, 2])
    assert (shown[0, 2] != shown[1, 2]).any()  # the sign is kept
    assert (shown[:, 3] == 255).all()


@pytest.mark.parametrize(("height", "width"), [(10, 60), (60, 10), (1, 1), (31, 32)])
def test_pictures_keep_their_proportions(height, width):
    figure = gallery(n=1, height=height, width=width)
    boxes = [axes.get_window_extent() for axes in figure.axes[:-1]]
    assert [box.height / box.width for box in boxes] == pytest.approx([height / width] * 3)
    assert all(not a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


@pytest.mark.parametrize(
    ("names", "height", "width"), [((LONG,), 20, 20), ((LONG, "two" * 30), 40, 9), (("a",), 9, 40)]
)
def test_gallery_text_stays_inside_and_apart(names, height, width):
    n = 2
    captions = ["a/very/long_file_name_" * 9 + ".png\nEgyptian cat, a domestic cat of spotted fur (24.6)"] * n
    figure = gallery_figure(
        np.ones((n, height, width, 3)), {name: np.zeros((n, height, width)) for name in names}, captions
    )
    boxes = [*text_boxes(figure), figure.axes[-1].xaxis.label.get_window_extent()]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)
    assert all(box.y0 >= 0 and box.y1 <= figure.bbox.height for box in boxes)
    pictures = [axes.get_window_extent() for axes in figure.axes]
    assert not any(text.overlaps(picture) for text in boxes for picture in pictures)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes[:n], 2))


@pytest.mark.parametrize(
    ("images", "heatmaps", "captions", "message"),
    [
        (np.ones((2, 3, 8, 8)), {"a": np.ones((2, 8, 8))}, ["", ""], r"\(N, H, W, 3\) .* \(2, 3, 8, 8\)"),
        (np.ones((2, 8, 8, 3)), {}, ["", ""], "at least one method"),
        (np.ones((2, 8, 8, 3)), {"a": np.ones((2, 8, 9))}, ["", ""], r"'a' .* \(2, 8, 8\) .* got \(2, 8, 9\)"),
        (np.ones((2, 8, 8, 3)), {"a": np.ones((2, 8, 8))}, [""], "one caption per image = 2, got 1"),
        (np.ones((101, 1, 1, 3)), {"a": np.ones((101, 1, 1))}, [""] * 101, "at most 100 images, got 101"),
    ],
)
def test_galleries_that_cannot_be_drawn(images, heatmaps, captions, message):
    with pytest.raises(InputError, match=message):
        gallery_figure(images, heatmaps, captions)


def test_one_heatmap_stands_beside_its_picture():
    ramp = np.linspace(-1, 1, 60).reshape(6, 10)
    figure = heatmap_figure(np.full((6, 10, 3), 0.5), ramp, title="lrp-epsilon", caption="cat.png: tabby")
    picture, heatmap, _ = figure.axes
    assert picture.get_window_extent().x1 < heatmap.get_window_extent().x0
    np.testing.assert_array_equal(heatmap.images[0].get_array(), heatmap_rgb(ramp))
    assert texts(figure) == ["lrp-epsilon", "cat.png: tabby"]


@pytest.mark.parametrize("format", ["png", "svg"])
def test_any_text_is_drawn_without_a_warning(format):
    n, everything = len(STRANGE), " ".join(STRANGE)
    heatmaps = {text: np.zeros((n, 8, 8)) for text in STRANGE}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure_bytes(gallery_figure(np.ones((n, 8, 8, 3)), heatmaps, STRANGE), format)
        figure_bytes(heatmap_figure(np.ones((8, 8, 3)), heatmaps[""][0], title=everything, caption=everything), format)
        figure_bytes(curves([band(text) for text in STRANGE], title=everything, y=everything), format)


def test_a_dollar_is_a_dollar():
    svg = figure_bytes(curves([band("$x_1$")], title="from $5 to $6"), "svg").decode()
    assert ">$x_1$<" in svg
    assert ">from $5 to $6<" in svg


@pytest.mark.parametrize("text", [LONG, "word " * 40, "x" * 300, *STRANGE])
def test_wrapped_lines_are_few_and_fit(text):
    lines = wrapped(text, 90, 8, lines=3)
    assert len(lines) <= 3
    assert all(width_of(line, 8) <= 90 for line in lines)


def test_shortening_keeps_both_ends_and_short_texts():
    assert shortened("cat.png", 500, 8) == "cat.png"
    short = shortened("img_" + "0" * 200 + "_a.png", 90, 8)
    assert short.startswith("img_")
    assert short.endswith("_a.png")
    assert width_of(short, 8) > 70


def test_what_the_font_lacks_becomes_a_box():
    assert legible("ε 猫\n🙂") == "ε □ □"


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_the_same_figure_is_the_same_file(format):
    first, second = (figure_bytes(gallery(), format) for _ in range(2))
    assert first == second
    first, second = (figure_bytes(curves([band("a"), band("b", 2)]), format) for _ in range(2))
    assert first == second


def test_user_settings_neither_change_the_figure_nor_are_changed():
    expected = figure_bytes(curves([band("a")]), "svg")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        before = dict(matplotlib.rcParams)
        assert figure_bytes(curves([band("a")]), "svg") == expected
        assert dict(matplotlib.rcParams) == before


def test_saving_names_files_after_the_figure_even_with_dots(tmp_path):
    paths = save_figure(curves([band("a")]), tmp_path / "lrp-epsilon[epsilon=0.01]")
    assert [path.name for path in paths] == ["lrp-epsilon[epsilon=0.01].png", "lrp-epsilon[epsilon=0.01].svg"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert paths[0].read_bytes().startswith(b"\x89PNG")
    assert b">removed regions<" in paths[1].read_bytes()  # text as text


def test_saving_replaces_the_older_file(tmp_path):
    (tmp_path / "curves.png").write_text("old")
    (path,) = save_figure(curves([band("a")]), tmp_path / "curves", formats=["png"])
    assert path.read_bytes().startswith(b"\x89PNG")


def test_nothing_is_left_when_drawing_fails(tmp_path, monkeypatch):
    figure = curves([band("a")])
    draw = figures_module.figure_bytes

    def fail_on_svg(figure, format):
        if format == "svg":
            raise OSError("no space left")
        return draw(figure, format)

    monkeypatch.setattr(figures_module, "figure_bytes", fail_on_svg)
    with pytest.raises(OSError, match="no space left"):
        save_figure(figure, tmp_path / "curves")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_and_the_old_file_stays_when_writing_fails(tmp_path, monkeypatch):
    (tmp_path / "curves.png").write_text("old")

    def write_half(path, content):
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(type(tmp_path), "write_bytes", write_half)
    with pytest.raises(OSError, match="no space left"):
        save_figure(curves([band("a")]), tmp_path / "curves")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
    assert (tmp_path / "curves.png").read_text() == "old"


def test_a_missing_folder_and_an_unknown_format_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere does not exist; create it first"):
        save_figure(curves([band("a")]), tmp_path / "nowhere" / "curves")
    with pytest.raises(InputError, match=r"unknown figure format 'gif'; known: png, svg, pdf"):
        save_figure(curves([band("a")]), tmp_path / "curves", formats=["png", "gif"])
    assert list(tmp_path.iterdir()) == []
