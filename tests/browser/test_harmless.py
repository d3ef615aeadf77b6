"""The page runs nothing but its own scripts, loads nothing, and shows every name as text."""

import re

import numpy as np
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from heatproof.report.page import Page, Section, render_page, write_page
from heatproof.report.page.texts import visible

INJECT = """
const script = document.createElement('script');
script.textContent = 'window.injected = 1';
document.head.append(script);
document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.injected = 2">');
"""


def test_scripts_that_are_not_the_pages_own_do_not_run(browse):
    driver = browse()
    policy = driver.find_element(By.CSS_SELECTOR, "meta[http-equiv]").get_attribute("content")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-\S{44}' 'sha256-\S{44}'", rules["script-src"])
    driver.execute_script(INJECT)
    driver.execute_async_script("setTimeout(arguments[0], 100)")
    assert driver.execute_script("return window.injected ?? null") is None
    complaints = [entry["message"] for entry in driver.get_log("browser")]
    assert complaints
    assert all("Content Security Policy" in one for one in complaints)


def test_names_are_text_wherever_they_stand(browse, made):
    driver = browse()
    said = driver.execute_script("return document.body.innerText")
    assert made.title in said
    for text in (*made.verdict, *made.warnings, *made.command.split("\n"), *(why for _, why in made.skipped)):
        assert visible(text) in said
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", said)
    assert driver.find_elements(By.CSS_SELECTOR, "img[onerror], main script") == []
    assert driver.title == made.title


def test_names_are_text_in_charts(browse, wait, made):
    driver = browse()
    drawn = driver.execute_script(
        "return [...document.querySelectorAll('.plot')].map((plot) => plot.textContent).join(' ')"
    )
    assert "<img src=x one…" in drawn.replace("\u200b", "")
    assert "50 % of $x_1$" in drawn
    assert "captum:<b>R&amp;D</b>" in drawn
    plot = driver.find_elements(By.CSS_SELECTOR, ".plot")[1]
    ActionChains(driver).scroll_to_element(plot).move_to_element(plot).perform()
    said = wait(lambda: plot.find_element(By.CSS_SELECTOR, ".hoverlayer").get_attribute("textContent"))
    for name in (band.name for band in made.sections[0].charts[1].bands):
        assert visible(name)[:14] in said


def test_a_page_without_scripts_shows_what_does_not_move(browse, made):
    driver = browse(scripts=False)
    assert driver.find_element(By.CSS_SELECTOR, ".verdict").is_displayed()
    figures = driver.find_elements(By.CSS_SELECTOR, "img")
    assert len(figures) == 6  # four charts for paper, the gallery for paper, and the gallery
    assert all(figure.is_displayed() and figure.size["width"] > 200 for figure in figures)
    assert len(driver.find_elements(By.CSS_SELECTOR, "tbody tr")) == sum(
        len(table.rows) for table in made.sections[1].tables.values()
    )
    assert driver.find_elements(By.TAG_NAME, "button") == []


def test_a_page_with_nothing_but_a_verdict_is_small_and_whole(browse, tmp_path):
    file = write_page(tmp_path / "small.html", render_page(Page("Small", verdict=["All is well."])))
    assert file.stat().st_size < 60_000
    driver = browse(file)
    assert driver.find_element(By.CSS_SELECTOR, ".verdict").text == "Verdict\nAll is well."


def test_a_large_report_is_small_enough(browse, large, tmp_path, capsys):
    """Eight methods on twelve pictures of 227 × 227: the time is told, not judged."""
    file = write_page(
        tmp_path / "large.html",
        render_page(Page("Large", sections=[Section("Pictures", shown=large, unit="logit")])),
    )
    driver = browse(file)
    ready = driver.execute_script("return document.documentElement.dataset.ready")
    megabytes = file.stat().st_size / 1e6
    with capsys.disabled():
        print(f"\n12 pictures, 8 methods: {megabytes:.1f} MB, ready after {ready} ms", end=" ")
    assert megabytes < 15
    assert np.isfinite(float(ready))
