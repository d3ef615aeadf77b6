"""CITATION.cff cites this version, and the paper."""

import tomllib

import yaml
from tests.docs.pages import ROOT

import heatproof


def test_it_cites_this_version_and_the_paper():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert set(cited) >= {"cff-version", "message", "title", "authors"}  # what the format requires
    assert (str(cited["cff-version"]), cited["version"]) == ("1.2.0", heatproof.__version__)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == heatproof.__version__
    (paper,) = cited["references"]
    assert (paper["year"], paper["volume"], paper["authors"][0]["family-names"]) == (2017, 28, "Samek")
