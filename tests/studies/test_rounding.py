"""What another precision changes of a comparison: measured again in float32, shown, stored and read."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.studied import PREPROCESSING, draw_eleven, small_network

import heatproof as hp
from heatproof.data import as_dataset
from heatproof.network import Network
from heatproof.perturbation import Protocol
from heatproof.report.studies import rounding as told
from heatproof.results.rounding import Rounding, RoundingOfMethod
from heatproof.runs.store import open_store
from heatproof.runs.study_file import differences
from heatproof.studies.road.reading import read_study
from heatproof.studies.road.running import Execution, run_comparison
from heatproof.studies.wanted import Wanted

METHODS = ["lrp-epsilon", "sobel", "sensitivity-l2"]


@pytest.fixture(scope="module")
def network():
    return Network(small_network().module)


@pytest.fixture(scope="module")
def images():
    return torch.rand(6, 3, 18, 18, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("protocol", ["samek2017", "coarse-blur"])
def test_errors_are_those_of_the_same_comparison_in_float32(protocol, network, images):
    """With at most eight images all are measured: both comparisons, subtracted, are the oracle."""
    options = {"protocol": protocol, "regions": 3, "controls": False, "audit": 0}
    found, exact = (hp.compare(network, images, METHODS, precision=p, **options) for p in ("bf16", "float32"))
    assert exact.rounding is None
    rounding = found.rounding
    sides = [
        np.concatenate([c.scores.numpy().ravel() for walks in (s.morf, s.lerf) for c in walks.values()])
        for s in (found, exact)
    ]
    spread = sides[1].max() - sides[1].min()
    errors = np.abs(sides[0].astype(float) - sides[1]) / spread
    assert rounding.scores == len(sides[0])
    assert rounding.largest == pytest.approx(errors.max(), rel=1e-5)
    assert rounding.mean == pytest.approx(errors.mean(), rel=1e-5)
    assert 0 < rounding.mean < rounding.largest < 0.1
    for name in exact.methods:
        assert rounding.methods[name].exact == pytest.approx(float(exact.values[name].mean()), rel=1e-6, abs=1e-9)
        assert rounding.methods[name].rounded == pytest.approx(float(found.values[name].mean()), rel=1e-6, abs=1e-9)
    means = sorted(float(found.values[name].mean()) for name in found.methods)
    assert rounding.closest == pytest.approx(min(np.diff(means)))


def test_at_most_eight_images_are_measured(network):
    images = torch.rand(12, 3, 18, 18, generator=torch.Generator().manual_seed(1))
    found = hp.compare(network, images, METHODS, protocol="samek2017", regions=6, precision="bf16", audit=0)
    assert len(found.rounding.names) == 8
    assert set(found.rounding.names) < set(found.names)


def test_it_stands_in_what_is_printed_and_on_the_page(network, images, tmp_path):
    found = hp.compare(network, images, METHODS, regions=6, precision="bf16")
    assert "Evaluated in bf16: on 6 images scores differ from those in float32 by" in str(found)
    page = found.report(tmp_path / "page.html").read_text()
    assert "Audit of the precision" in page
    assert "evaluated in bf16" in page
    plain = hp.compare(network, images, METHODS, regions=6)
    assert "float32" not in str(plain)
    assert "Audit of the precision" not in plain.report(tmp_path / "plain.html").read_text()


def test_an_error_that_is_large_beside_the_interval_is_warned_of():
    methods = {"good": RoundingOfMethod(1.0, 1.001, 0.1), "bad": RoundingOfMethod(1.0, 0.9, 0.1)}
    found = Rounding("bf16", ("a",), 10, 1.0, 0.1, 0.01, methods, 0.2, 1.0)
    assert found.too_large == ["bad"]
    (warning,) = told.warnings(found)
    assert warning.startswith("precision bf16 changes the mean of bad by more than 10% of half the width")
    assert told.warnings(replace(found, methods={"good": methods["good"]})) == []


@pytest.fixture
def run(tmp_path):
    (tmp_path / "photos").mkdir()
    folder = draw_eleven(tmp_path / "photos", "05 broken.png")
    wanted = Wanted(methods={name: name for name in METHODS}, protocol=Protocol(regions=6, precision="bf16"),
                    lerf=True, symmetric=True)  # fmt: skip

    def again(**changes):
        network = Network(small_network().module, preprocessing=PREPROCESSING)
        return run_comparison(wanted, lambda: (network, as_dataset(folder)), open_store(tmp_path / "run"),
                              {"study": "compare"} | changes, Execution())  # fmt: skip

    return again, tmp_path / "run"


def test_a_run_keeps_it_and_is_read_and_resumed(run):
    again, path = run
    found = again()
    record = json.loads((path / "run.json").read_text())
    assert record["plan"]["protocol"]["precision"] == "bf16"
    assert record["rounding"]["precision"] == "bf16"
    stored = (path / "audit" / "precision.json").read_bytes()
    read = read_study(open_store(path))
    assert read.rounding == found.rounding
    assert read.verdict == found.verdict
    assert again().rounding == found.rounding
    assert (path / "audit" / "precision.json").read_bytes() == stored


@pytest.mark.parametrize("change", [{"precision": "tf32"}, {"largest": "much"}, {"methods": {}}, {"names": []}])
def test_a_damaged_file_is_refused(change, run):
    again, path = run
    again()
    file = path / "audit" / "precision.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(hp.InputError, match=r"precision\.json"):
        read_study(open_store(path))


def test_a_run_without_the_option_was_in_float32(tmp_path, run):
    """Records of earlier versions have no precision: they are read, and resumed with the default."""
    assert differences({"regions": 9}, {"regions": 9, "precision": "float32"}) == []
    assert differences({"regions": 9}, {"regions": 9, "precision": "bf16"}) == ['precision: "float32" then, "bf16" now']
    again, path = run
    again()
    record = json.loads((path / "run.json").read_text())
    del record["plan"]["protocol"]["precision"]
    (path / "run.json").write_text(json.dumps(record))
    assert read_study(open_store(path)).protocol.precision == "float32"
