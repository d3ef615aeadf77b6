"""Published curves, maps in files, callables of one's own, and the command."""

import json

import numpy as np
import pytest
import torch

import heatproof as hp
from heatproof.checks import check_curve, check_maps, check_method, check_metric, load_callable, read_curve, read_maps
from heatproof.checks.published import DEFINITIONS
from heatproof.cli import CHECK_FAILED, main
from heatproof.errors import InputError

CURVE = [10.0, 6.0, 4.0, 2.0]


@pytest.mark.parametrize(
    ("stated", "text"),
    [
        ("6.0", "without k = 0, divided by L"),
        ("18", "a sum that is not divided"),
        ("0.45", "in parts of the first score"),
        ("0.6", "without k = 0, in parts of the first score"),
        ("5.5", "the mean of the scores"),
        ("5.33", "by trapezoids, over L"),
        ("16", "the area under the curve by trapezoids"),
        ("4.67", "trapezoids of the drop, over L"),
        ("2.0", "without the untouched image"),
        ("-4.5", "k = 0 … L, divided by L + 1, with the sign turned"),
        ("7.7", "none of the definitions"),
    ],
)
def test_definition_behind_a_stated_number_is_named(stated, text):
    found = check_curve(CURVE, stated)
    assert not found.passed
    assert text in found.failed[0].seen


def test_paper_s_definition_passes_and_rounding_is_allowed_for():
    assert check_curve(CURVE, 4.5).passed
    assert check_curve([CURVE, CURVE], "4.5").passed
    assert check_curve([10.0, 6.1, 4.0, 2.03], "4.5").passed  # 4.4675
    assert not check_curve([10.0, 6.1, 4.0, 2.03], "4.500").passed
    assert check_curve(CURVE).outcomes()["definition"] == "noted"


def test_direction_and_range_are_told():
    found = check_curve(CURVE, "-4.5").outcomes()
    assert (found["definition"], found["direction"]) == ("failed", "failed")
    assert "probabilities" in str(check_curve([0.9, 0.5, 0.4]))
    assert "logits" in str(check_curve(CURVE))


def test_definitions_by_hand():
    scores = torch.tensor([CURVE], dtype=torch.float64)
    expected = [4.5, 6, 18, 0.45, 0.6, 5.5, 16 / 3, 16, 14 / 3, 2]
    assert [float(value(scores)) for value in DEFINITIONS.values()] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "step,score\n1,6\n0,10\n2,4\n3,2\n"),
        ("b.csv", "10,6,4,2\n"),
        ("c.csv", "Image,Step,Score\na,0,10\na,1,6\na,2,4\na,3,2\n"),
        ("d.json", "[10, 6, 4, 2.0]"),
        ("e.json", '{"scores": [10, 6, 4, 2], "aopc": 4.50}'),
    ],
)
def test_curves_are_read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    scores, stated = read_curve(tmp_path / name)
    assert np.ravel(scores).tolist() == CURVE
    assert stated == ("4.50" if name == "e.json" else None)


@pytest.mark.parametrize("text", ["step,value\n0,1\n", "a\n", '{"x": 1}'])
def test_other_files_are_told(tmp_path, text):
    path = tmp_path / ("x.json" if text.startswith("{") else "x.csv")
    path.write_text(text)
    with pytest.raises(InputError, match=r"cannot read a curve from .* expected a CSV file with a column 'score'"):
        read_curve(path)


@pytest.mark.parametrize(("scores", "stated"), [([1.0], None), ([1.0, np.nan], None)])
def test_scores_that_are_no_curve_are_told(scores, stated):
    with pytest.raises(InputError, match=r"scores must be finite, of shape \(L \+ 1,\)"):
        check_curve(scores, stated)


def test_stated_number_that_is_none_is_told():
    with pytest.raises(InputError, match="the stated AOPC must be a number, got 'much'"):
        check_curve(CURVE, "much")


# --- maps


def test_maps_are_found_by_the_pictures_names(tmp_path):
    np.savez(tmp_path / "m.npz", **{"a": np.zeros((2, 3)), "b.jpg": np.ones((2, 3))})
    maps = read_maps(tmp_path / "m.npz", ["photos/b.jpg", "a.png"])
    assert maps.mean(dim=(1, 2)).tolist() == [1, 0]
    with pytest.raises(InputError, match=r"has no map for 1 of 1 images: 'c.png'; it has 2: 'a', 'b.jpg'"):
        read_maps(tmp_path / "m.npz", ["c.png"])
    np.save(tmp_path / "m.npy", np.zeros((4, 2, 3)))
    assert read_maps(tmp_path / "m.npy", ["a"] * 4).shape == (4, 2, 3)
    np.save(tmp_path / "bad.npy", np.array([{}], dtype=object))
    with pytest.raises(InputError, match="cannot read heatmaps from"):
        read_maps(tmp_path / "bad.npy", ["a"])


@pytest.mark.parametrize(
    ("maps", "caught"),
    [
        (torch.rand(3, 3, 18, 18), "one map per image"),
        (torch.full((3, 18, 18), torch.nan), "finite"),
        (torch.arange(3.0)[:, None, None].expand(3, 18, 18), "not constant"),
        (torch.rand(1, 18, 18).expand(3, 18, 18), "each its own"),
    ],
)
def test_wrong_maps_fail(maps, caught):
    images = torch.rand(3, 3, 18, 18, generator=torch.Generator().manual_seed(0))
    assert check_maps(maps, images).outcomes()[caught] == "failed"


def test_good_maps_pass_and_are_put_beside_chance():
    generator = torch.Generator().manual_seed(0)
    images, network = torch.rand(3, 3, 18, 18, generator=generator), hp.Network(torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(3 * 18 * 18, 2)
    ))  # fmt: skip
    found = check_maps(hp.explain(network, images, "gradient-x-input"), images, network=network)
    assert found.passed
    assert found.outcomes()["against chance"] == "noted"


# --- callables and the command


def test_own_callables_are_loaded(tmp_path):
    (tmp_path / "mine.py").write_text("def maps(network, images, targets):\n    return images.mean(1)\nnumber = 3\n")
    assert load_callable(f"{tmp_path / 'mine.py'}:maps").__name__ == "maps"
    assert load_callable("math:hypot")(3, 4) == 5
    for spec, message in [
        ("math", "expected package.module:function or FILE.py:function, got 'math'"),
        ("nosuch.module:f", "cannot import 'nosuch.module'"),
        ("missing.py:f", "there is no file 'missing.py'"),
        (f"{tmp_path / 'mine.py'}:number", "must be a callable, got 3"),
        ("math:nothing", "must be a callable, got None"),
    ]:
        with pytest.raises(InputError, match=message):
            load_callable(spec)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"value": "aopcc"}, "unknown value 'aopcc'; did you mean 'aopc'"),
        ({"replacement": "black"}, "unknown replacement 'black'; known: zero, uniform"),
        ({"score": "logits"}, "unknown score 'logits'; did you mean 'logit'"),
        ({"region": 0}, "region must be at least 1 pixel, got 0"),
        ({"only": ["tie"]}, "unknown check 'tie'; did you mean 'ties'"),
    ],
)
def test_wrong_claims_are_told(claims, message):
    with pytest.raises(InputError, match=message):
        check_metric(lambda *_: torch.zeros(1), **claims)


def test_what_a_subject_raises_is_a_failure_with_its_words():
    def broken(network, images, targets):
        raise RuntimeError("no CUDA here")

    found = check_method(broken, only=["batch"])
    assert found.failed[0].seen == "RuntimeError: no CUDA here"
    assert "0 passed, 1 failed, of 1 checks" in str(found)
    assert found.describe()["passed"] is False
    json.dumps(found.describe())


def test_own_network_is_asked_where_no_answer_must_be_known():
    convolution, head = torch.nn.Conv2d(3, 2, 5), torch.nn.Linear(8, 3)
    module = torch.nn.Sequential(convolution, torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), head)
    network = hp.Network(module, preprocessing=hp.Preprocessing(crop=20))
    found = check_method("sensitivity-l2", network=network, only=["one map per image", "class"])
    assert found.passed
    assert "(4, 20, 20)" in found.checks[0].seen


class TestCommand:
    @pytest.fixture
    def run(self, monkeypatch, capsys, tmp_path):
        monkeypatch.chdir(tmp_path)

        def call(*arguments):
            monkeypatch.setattr("sys.argv", ["heatproof", "check", *map(str, arguments)])
            with pytest.raises(SystemExit) as stopped:
                main()
            return stopped.value.code or 0, " ".join(capsys.readouterr().out.split())

        return call

    def test_curve(self, run, tmp_path):
        (tmp_path / "c.json").write_text('{"scores": [10, 6, 4, 2], "aopc": 6.0}')
        code, out = run("curve", "c.json")
        assert code == CHECK_FAILED == 4
        assert "definition failed: The stated number is the AOPC" in out
        assert run("curve", "c.json", "--aopc", "4.5")[0] == 0

    def test_method_and_metric(self, run, tmp_path):
        (tmp_path / "mine.py").write_text(
            "def maps(network, images, targets):\n    return images\n"
            "def value(network, images, targets, heatmaps):\n    return heatmaps.mean((1, 2))\n"
        )
        code, out = run("method", "mine.py:maps")
        assert code == CHECK_FAILED
        assert "one map per image failed" in out
        code, out = run("metric", "mine.py:value", "--region", "4", "--lower-is-better", "--uses-values")
        assert code == CHECK_FAILED
        assert "direction failed" in out

    def test_maps(self, run, tmp_path):
        from PIL import Image

        pixels = np.random.default_rng(0).integers(0, 255, (2, 40, 30, 3), dtype=np.uint8)
        for name, one in zip("ab", pixels, strict=True):
            Image.fromarray(one).save(tmp_path / f"{name}.png")
        np.savez(tmp_path / "m.npz", a=np.eye(30), b=np.ones((30, 30)))
        (tmp_path / "net.py").write_text(
            "from torch import nn\n"
            "def make():\n    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 2))\n"
        )
        options = ("--network", "net.py:make", "--crop", "30", "--maps", "m.npz")
        code, out = run("maps", "a.png", "b.png", *options)
        assert code == CHECK_FAILED
        assert "not constant failed" in out
