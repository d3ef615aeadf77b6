"""The page of the method names everything that there is, with the catalogue's own units and directions."""

import re

import pytest
from tests.docs.pages import ROOT

from heatproof.data import DATASETS
from heatproof.heatmaps import METHODS, WRAPPERS
from heatproof.measures import MEASURES
from heatproof.perturbation import REGIONS, REPLACEMENTS
from heatproof.perturbation.scores import SCORES

METHOD = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
SOURCES = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
KEY = re.compile(r"[\[ ]([A-Z][a-z][A-Za-z]*(?:19|20)\d\d[a-z]?)(?=[\], ])")


def measure_table():
    """The table of measures, as the catalogue has it."""
    lines = ["| name | unit | better | source | needs |", "| --- | --- | --- | --- | --- |"]
    for name, measure in MEASURES.items():
        needs = ", ".join([f"`{one}`" for one in measure.needs] + [one.text for one in measure.requirements])
        direction = "higher" if measure.higher_is_better else "lower"
        lines.append(
            f"| `{name}` | {measure.unit} | {direction} | [{measure.source}](#{measure.source.lower()}) | {needs} |"
        )
    return "\n".join(lines)


def test_table_of_measures_is_the_catalogue():
    shown = re.search(r"<!-- measures -->\n(.*?)\n*<!-- end of measures -->", METHOD, re.DOTALL)[1].strip()
    assert shown == measure_table(), f"put this into docs/method.md:\n{measure_table()}"


@pytest.mark.parametrize(
    "registry", [METHODS, WRAPPERS, REPLACEMENTS, REGIONS, SCORES], ids=lambda registry: registry.kind
)
def test_all_names_are_explained(registry):
    assert [name for name in registry if not re.search(rf"`{re.escape(name)}[:`]", METHOD)] == []


def test_all_layouts_of_data_are_explained():
    formats = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert [name for name in DATASETS if not re.search(rf"\b{re.escape(name)}[:\[]", formats)] == []


def test_sources_have_an_entry():
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")]
    cited = {key for text in texts for key in KEY.findall(text)}
    assert len(cited) > 40
    missing = sorted(key for key in cited if f"({key.lower()})=\n\n**{key}.** " not in SOURCES)
    assert missing == [], "give them an entry in docs/sources.md"
