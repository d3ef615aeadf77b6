"""The page: one file, loads nothing, shows every text as text (tests/browser opens it)."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from heatproof.errors import InputError
from heatproof.report import Table, figure_of
from heatproof.report.charts import Band, CurvesChart, Gallery
from heatproof.report.page import Page, Section, Shown, Walk, render_page, write_page

EVIL = "<script>alert(1)</script>.png"
VOID = {"meta", "img", "br", "link"}


class Reader(HTMLParser):
    """Collects tags, attributes and visible text, and insists that tags are closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and not {"style", "script"} & set(self.open):
            self.texts.append(data.strip())

    def named(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def figure():
    """Describes pictures under a caption."""
    maps = {"a": np.zeros((1, 8, 8))}
    return lambda caption: Gallery(
        name=caption, caption=caption, images=np.ones((1, 8, 8, 3)), heatmaps=maps, captions=["one"]
    )


def page(*sections, title="Title", verdict=("LRP wins.",), **changes):
    return render_page(Page(title, verdict=verdict, sections=sections, **changes))


def evil_page(figure):
    table = Table((EVIL,), ((EVIL,),), notes=(EVIL,))
    walks = [Walk(EVIL, np.ones((8, 8)), np.array([0]), np.arange(2), np.ones(2))]
    shown = Shown(EVIL, EVIL, np.zeros((8, 8, 3), np.uint8), walks, regions=np.zeros((8, 8), int))
    words = dict.fromkeys(("name", "caption", "x", "y", "about", "kind"), EVIL)
    chart = CurvesChart(bands=[Band(EVIL, *np.zeros((3, 4)))], removed_fraction=np.zeros(4), **words)
    return page(
        Section(EVIL, [EVIL], tables={EVIL: table}, figures=[figure(f'{EVIL}" onload="alert(1)')]),
        Section(EVIL, [EVIL], charts=[chart], shown=[shown], unit=EVIL, fallback=figure(f"{EVIL} fallback")),
        title=EVIL,
        verdict=[EVIL],
        about=[EVIL],
        warnings=[EVIL],
        command=EVIL,
        reproduce=EVIL,
        skipped=[(EVIL, EVIL)],
    )


def test_every_text_is_shown_as_text(figure):
    reader = Reader(evil_page(figure))
    assert reader.named("script") == [{"type": "application/json", "id": "data"}, {}, {}]  # the data, Plotly, and ours
    assert not any("onload" in attributes for _, attributes in reader.tags)
    # tab, heading, about, verdict, warning; two sections, each in the navigation, as heading, and with a paragraph;
    # caption, head, cell and note of the table; figure; caption and note of the chart; fallback; skipped twice; command
    # and reproduce
    assert sum(EVIL in text for text in reader.texts) == 5 + 6 + 4 + 1 + 2 + 1 + 2 + 2


def test_nothing_is_loaded_from_elsewhere(figure):
    html = evil_page(figure)
    reader = Reader(html)
    addresses = [a[key] for _, a in reader.tags for key in ("src", "href", "srcset", "action", "data") if key in a]
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    outside_of_scripts = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"@import|url\(|https?://", outside_of_scripts)
    (policy,) = [m["content"] for m in reader.named("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    scripts, _, styles = policy.partition("; style-src ")
    assert "unsafe" not in scripts
    assert styles == "'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def test_the_policy_names_the_scripts_that_are_there(figure):
    html = evil_page(figure)
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    (policy,) = [m["content"] for m in Reader(html).named("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert re.findall(r"'sha256-([^']+)'", policy) == hashes
    assert len(hashes) == 2


def test_a_page_without_charts_has_no_library_of_charts():
    assert len(page(Section("Numbers", tables={"AOPC": Table(("method",), (("random",),))}))) < 60_000


def test_figures_are_whole_pictures_with_a_text_for_those_who_cannot_see_them(figure):
    (image,) = Reader(page(Section("Heatmaps", figures=[figure("Heatmaps of a cat")]))).named("img")
    assert image["alt"] == "Heatmaps of a cat"
    content = base64.b64decode(image["src"].partition(",")[2], validate=True)
    assert content.startswith(b"\x89PNG")
    assert content.endswith(b"IEND\xaeB`\x82")
    width, height = figure_of(figure("")).get_size_inches()
    assert int(image["width"]) / int(image["height"]) == pytest.approx(width / height, rel=0.01)


def test_the_page_is_semantic_and_fits_light_dark_phone_and_paper():
    html = page(Section("Numbers", tables={"AOPC": Table(("method", "AOPC"), (("random", 8.33),))}))
    reader = Reader(html)
    assert html.startswith("<!DOCTYPE html>\n")
    assert reader.named("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in reader.named("meta")
    assert len(reader.named("h1")) == len(reader.named("main")) == len(reader.named("caption")) == 1
    assert [head["scope"] for head in reader.named("th")] == ["col", "col", "row"]
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media print" in html


def test_empty_parts_leave_no_heading():
    texts = Reader(page(Section("Nothing"))).texts
    assert texts == ["Title", "Skip to the content", "Verdict", "heatproof", "Title", "Verdict", "LRP wins."]
    full = Reader(
        page(warnings=["w"], skipped=[("a.png", "broken")], command="heatproof compare a\\\n  --seed 0")
    ).texts
    assert "Skipped" in full
    assert "heatproof compare a\\\n  --seed 0" in full


def test_labels_point_to_existing_headings(figure):
    reader = Reader(evil_page(figure))
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {section["aria-labelledby"] for section in reader.named("section")} <= set(ids)
    assert {link["href"].removeprefix("#") for link in reader.named("a")} <= set(ids)


def test_the_same_report_is_the_same_page(figure):
    assert evil_page(figure) == evil_page(figure)


def test_writing_leaves_one_file_even_with_undecodable_names(tmp_path):
    path = write_page(tmp_path / "page.html", page(title="caf\udce9 猫"))
    assert "caf� 猫" in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_writing_into_a_missing_folder_says_so(tmp_path):
    with pytest.raises(InputError, match=r"expected a folder to write 'page.html' into.*create it first"):
        write_page(tmp_path / "nowhere" / "page.html", page())
