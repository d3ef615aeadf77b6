"""The check of the built site finds what it is there for."""

import importlib.util

import pytest
from tests.docs.pages import ROOT

_spec = importlib.util.spec_from_file_location("check_site", ROOT / "docs" / "check_site.py")
check_site = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check_site)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "one.html").write_text('<h1 id="top">One</h1><a href="sub/two.html#here">two</a><img src="one.png">')
    (tmp_path / "one.png").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "two.html").write_text('<p id="here">Two</p><a href="../one.html#top">back</a>')
    return tmp_path


def test_a_whole_site_has_no_faults(site):
    assert check_site.faults(site) == []


@pytest.mark.parametrize(
    ("added", "fault"),
    [
        ('<a href="three.html">x</a>', "no such page: three.html"),
        ('<a href="#nowhere">x</a>', "no such anchor: #nowhere"),
        ('<a href="sub/two.html#nowhere">x</a>', "no such anchor: sub/two.html#nowhere"),
        ('<a href="https:///x">x</a>', "no such address: https:///x"),
        ('<a href="https://example">x</a>', "no such address: https://example"),
        ('<script src="https://cdn.example.org/x.js"></script>', "loaded from elsewhere: https://cdn.example.org/x.js"),
        ('<link rel="stylesheet" href="//cdn.example.org/x.css">', "loaded from elsewhere: //cdn.example.org/x.css"),
        ("<style>@import 'https://example.org/f.css';</style>", "loaded from elsewhere: https://example.org/f.css"),
        ('<p style="background: url(https://example.org/f.png)">', "loaded from elsewhere: https://example.org/f.png"),
        ('<img src="gone.png">', "not there: gone.png"),
    ],
)
def test_each_fault_is_found(site, added, fault):
    with (site / "one.html").open("a") as page:
        page.write(added)
    assert check_site.faults(site) == [f"one.html: {fault}"]


def test_fonts_of_style_sheets_are_looked_at(site):
    (site / "style.css").write_text("@font-face { src: url('https://fonts.example.org/f.woff2'); }")
    assert check_site.faults(site) == ["style.css: loaded from elsewhere: https://fonts.example.org/f.woff2"]


def test_links_to_other_sites_are_left_alone(site):
    (site / "one.html").write_text('<a href="https://example.org/page#part">x</a>')
    assert check_site.faults(site)[:1] == ["sub/two.html: no such anchor: ../one.html#top"]


def test_nothing_is_no_site(tmp_path):
    assert check_site.faults(tmp_path) == [f"{tmp_path}: no pages"]
