"""The list that ``heatproof view --page`` writes, in a browser."""

import json
from importlib import resources

import pytest
from selenium.webdriver.common.by import By
from tests.browser.test_looks import AXE, DESK, OVERFLOW, PHONE

from heatproof.cli.view import write_page
from heatproof.runs.run_list import runs_below


@pytest.fixture
def address(page_file, tmp_path):
    """Where a list with a run with a report lies."""
    for name in ("run", "<img src=x onerror='window.harmed = 2'> with a name that is longer than a phone is wide"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.html").write_bytes(page_file.read_bytes())
        record = {"schema": 1, "study": "compare", "images": ["a"], "verdict": ["<b>LRP</b> wins."]}
        (tmp_path / name / "run.json").write_text(json.dumps(record))
        (tmp_path / name / "table.csv").write_text("a")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("{")
    return write_page(tmp_path, runs_below(tmp_path), tmp_path / "index.html").as_uri()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_list(driver, address, wait, theme, size):
    axe = pytest.importorskip("axe_core_python", reason="axe is not installed: pip install axe-core-python")
    metrics = {**size, "deviceScaleFactor": 1, "mobile": size == PHONE}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    preferred = [{"name": "prefers-color-scheme", "value": theme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": preferred})
    driver.get(address)
    driver.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert len(driver.find_elements(By.CSS_SELECTOR, "main li h2")) == 3
    assert driver.execute_script(OVERFLOW) == {"page": 0, "parts": []}
    driver.execute_script((resources.files(axe) / "axe.min.js").read_text(encoding="utf-8"))
    assert driver.execute_async_script(AXE) == []
    assert driver.execute_script("return window.harmed ?? null") is None
    assert driver.get_log("browser") == []
    driver.find_element(By.LINK_TEXT, "run").click()
    wait(lambda: driver.execute_script("return document.documentElement.dataset.ready"))
    assert driver.execute_script("return window.harmed ?? null") is None
