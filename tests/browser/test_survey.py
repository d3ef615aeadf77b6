"""The page of a survey: no wider than the window, readable, with links to the page of each comparison."""

from importlib import resources

import pytest
from selenium.webdriver.common.by import By
from tests.browser.conftest import CLOSING, IMAGE
from tests.browser.test_looks import AXE, DESK, OVERFLOW, PHONE
from tests.results.test_survey import CLEAR, OPPOSITE, finding

from heatproof.report.page import render_page, write_page
from heatproof.report.studies import survey
from heatproof.results.survey import SurveyResult

NETWORKS = ("resnet", CLOSING, IMAGE, "a-network-with-quite-a-long-name-of-its-own")


@pytest.fixture(scope="module")
def survey_file(tmp_path_factory):
    """Four networks, two of them with harmful names, three methods and two protocols; one cannot judge, one failed."""
    advantages = {**CLEAR, "a-method[with=options,and=more-of-them]": 1.5, **{f"m{i}": i / 9 for i in range(8)}}
    cells = [
        finding(network, "photographs", protocol, advantages if network != IMAGE else advantages | OPPOSITE,
                can_judge=network != CLOSING)
        for network in NETWORKS for protocol in ("auto", "samek2017")
    ]  # fmt: skip
    folders = {str(one.name): f"cells/{number:05}" for number, one in enumerate(cells)}
    found = SurveyResult(tuple(cells), {f"{IMAGE} / x / auto": CLOSING}, folders)
    page = survey.page(found)
    made = type(page)(**{**vars(page), "verdict": survey.verdict(found), "warnings": survey.warnings(found)})
    return write_page(tmp_path_factory.mktemp("survey") / "report.html", render_page(made))


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_it_never_scrolls_sideways(browse, survey_file, width):
    assert browse(survey_file, width=width).execute_script(OVERFLOW) == {"page": 0, "parts": []}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_serious(browse, survey_file, theme, size):
    driver = browse(survey_file, **size, color_scheme=theme)
    driver.execute_script((resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
    assert driver.execute_async_script(AXE) == []


def test_each_comparison_has_its_link_and_its_column(browse, survey_file):
    driver = browse(survey_file)
    links = driver.find_elements(By.CSS_SELECTOR, ".links a")
    assert [link.get_attribute("href").rpartition("/cells/")[2] for link in links] == [
        f"{number:05}/report.html" for number in range(8)
    ]
    heads = [head.text for head in driver.find_elements(By.CSS_SELECTOR, "table")[0].find_elements(By.TAG_NAME, "th")]
    assert "resnet / photographs" in heads


def test_methods_are_found_and_sorted(browse, survey_file):
    driver = browse(survey_file)
    box = driver.find_elements(By.CSS_SELECTOR, ".table")[0]
    field = box.find_element(By.CSS_SELECTOR, ".search")
    field.send_keys("options")
    names = [row.find_element(By.TAG_NAME, "th").text for row in box.find_elements(By.CSS_SELECTOR, "tbody tr")]
    assert [name for name in names if name] == ["a-method[with=options,and=more-of-them]"]
    driver.execute_script("arguments[0].value = ''; arguments[0].dispatchEvent(new Event('input'))", field)
    box.find_elements(By.CSS_SELECTOR, "thead button")[2].click()  # of the first network
    values = [
        float(row.find_elements(By.TAG_NAME, "td")[1].text.split()[0])
        for row in box.find_elements(By.CSS_SELECTOR, "tbody tr")
    ]
    assert values == sorted(values, reverse=True)
