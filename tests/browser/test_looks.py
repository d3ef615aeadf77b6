"""Readable for everybody: light and dark, phone and desk, on paper, and by screen readers."""

from importlib import resources

import numpy as np
import pytest
from selenium.webdriver.common.by import By

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
OVERFLOW = """
const wide = document.documentElement.clientWidth;
const scrolls = (one) => one && (getComputedStyle(one).overflowX === 'auto' || scrolls(one.parentElement));
const beyond = [...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > wide + 1);
return {
  page: document.documentElement.scrollWidth - wide,
  parts: beyond.filter((one) => !scrolls(one) && !one.closest('.unseen, svg')).map((one) => one.outerHTML.slice(0, 80)),
};
"""
AXE = """
const done = arguments[0];
const told = ({ id, nodes }) => [id, ...nodes.map(({ html, failureSummary }) => html.slice(0, 120) + failureSummary)];
axe.run({ resultTypes: ['violations'] }).then(({ violations }) =>
  done(violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(told)));
"""


def shown(driver, selector):
    """Whether any, and whether all of these can be seen."""
    seen = [one.is_displayed() for one in driver.find_elements(By.CSS_SELECTOR, selector)]
    return any(seen), bool(seen) and all(seen)


def brightness(driver, selector, kind="backgroundColor"):
    colour = driver.execute_script(f"return getComputedStyle(document.querySelector('{selector}')).{kind}")
    return np.mean([float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_serious(browse, theme, size):
    driver = browse(**size, color_scheme=theme)
    driver.execute_script((resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
    assert driver.execute_async_script(AXE) == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_never_scrolls_sideways(browse, width):
    driver = browse(width=width)
    assert driver.execute_script(OVERFLOW) == {"page": 0, "parts": []}


def test_methods_are_chosen_beside_the_page_or_above_the_charts(browse):
    assert shown(browse(**DESK), "#filter-aside .filter") == (True, True)
    assert shown(browse(**PHONE), "#filter-main .filter") == (True, True)


def test_dark_is_dark_in_charts_too(browse):
    for theme, dark in (("light", False), ("dark", True)):
        driver = browse(color_scheme=theme)
        assert (brightness(driver, "body") < 60) == dark
        assert (brightness(driver, ".plot .xtitle", "fill") > 150) == dark


def test_charts_follow_when_night_falls(browse, wait):
    driver = browse(color_scheme="light")
    assert brightness(driver, ".plot .xtitle", "fill") < 100
    night = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", night)
    wait(lambda: brightness(driver, ".plot .xtitle", "fill") > 150)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_paper_gets_figures_instead_of_controls(browse, theme):
    driver = browse(media="print", color_scheme=theme)
    for moving in (".plot", ".walks", ".filter", ".copies", ".command button", "nav", ".skip"):
        assert shown(driver, moving)[0] is False
    for still in (".static img", ".verdict", ".warnings", "table", "#command"):
        assert shown(driver, still)[1] is True
    assert brightness(driver, "body") == 255
    assert brightness(driver, "main", "color") == 0


def test_everything_can_be_reached_by_keyboard(browse):
    driver = browse()
    reachable = """
    const controls = [...document.querySelectorAll('button, input, select, a[href]')];
    return controls.filter((one) => one.checkVisibility() && one.tabIndex < 0).length;
    """
    assert driver.execute_script(reachable) == 0
    driver.find_element(By.TAG_NAME, "body").send_keys("\ue004")  # the tabulator
    first = driver.switch_to.active_element
    assert first.text == "Skip to the content"
    assert first.is_displayed()
    assert first.location["x"] >= 0


def test_every_picture_and_control_has_a_name(browse, made):
    driver = browse()
    nameless = (
        "return [...document.querySelectorAll('img, canvas')].filter((one) => !(one.alt || one.ariaLabel)).length"
    )
    assert driver.execute_script(nameless) == 0
    said = [plot.get_attribute("aria-label") for plot in driver.find_elements(By.CSS_SELECTOR, ".chart > .plot")]
    charts = [chart for section in made.sections for chart in section.charts]
    assert [one.split(".")[0] for one in said] == [chart.caption.split(".")[0] for chart in charts]


def test_the_navigation_says_where_one_is(browse, wait):
    driver = browse()
    driver.find_element(By.LINK_TEXT, "Complexity").click()
    current = "[aria-current]"
    wait(lambda: [one.text for one in driver.find_elements(By.CSS_SELECTOR, current)] == ["Complexity"])
