"""Maps in files, callables of one's own, and the command."""

import json

import numpy as np
import pytest
import torch

import heatproof as hp
from heatproof.checks import MetricClaims, check_maps, check_method, check_metric, load_callable, read_maps
from heatproof.cli import CHECK_FAILED, main
from heatproof.errors import InputError


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
    ],
)
def test_wrong_claims_are_told(claims, message):
    with pytest.raises(InputError, match=message):
        MetricClaims(**claims)


def test_an_unknown_check_is_told():
    with pytest.raises(InputError, match="unknown check 'tie'; did you mean 'ties'"):
        check_metric(lambda *_: torch.zeros(1), only=["tie"])


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
