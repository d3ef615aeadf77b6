"""A real Chromium, and a page of made data with names that mean harm."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from selenium import webdriver

from heatproof.report import Table
from heatproof.report.charts import Band, BoxesChart, CurvesChart, Gallery, ScatterChart
from heatproof.report.page import Page, Section, Shown, Walk, render_page, write_page

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--disable-smooth-scrolling",  # a click must not wait until the page has come to rest
    "--hide-scrollbars",
)
SIDE, GRID, STEPS = 60, 10, 24  # of the made pictures: pixels, regions on each side, steps
CLOSING = "</script><script>window.harmed = 1</script>"
IMAGE = "<img src=x onerror='window.harmed = 2'>"
TURNED = "a\x1b[31m\u202egnp.tac"  # moves a cursor, and reads from right to left
SPECIAL = r"50 % of $x_1$ & {y} #1 ~ \emph{z} | **bold** [link](http://x) %{y}"
METHODS = (
    "random",
    "lrp-epsilon",
    "lrp-alphabeta",
    "sensitivity-l2",
    CLOSING,
    IMAGE,
    TURNED,
    SPECIAL,
    "captum:<b>R&amp;D</b>",
)


@pytest.fixture(scope="session")
def driver():
    """One Chromium for all tests."""
    browser, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not chromedriver:
        pytest.skip("needs chromium and chromedriver on the PATH (Debian: apt install chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(chromedriver))
    yield opened
    opened.quit()


@pytest.fixture(scope="session")
def pictures():
    """Three pictures, seen by eight methods; the last one is imputed, so it has no replacement image."""
    return [shown(number, name) for number, name in enumerate(("cat.png", f"{IMAGE}.png", f"{TURNED}{CLOSING}"))]


@pytest.fixture
def large():
    """Twelve pictures of 227 × 227, seen by eight methods whose heatmaps are as noisy as those of networks."""
    found = [shown(number, f"{number}.png", side=227, grid=25) for number in range(12)]
    for number, walk in enumerate(walk for one in found for walk in one.walks):
        walk.heatmap[:] *= np.random.default_rng(number).normal(size=walk.heatmap.shape)
    return found


@pytest.fixture(scope="session")
def made(pictures):
    """What the page shows."""
    return made_page(pictures)


@pytest.fixture(scope="session")
def page_file(made, tmp_path_factory) -> Path:
    """The page of made data as a file."""
    return write_page(tmp_path_factory.mktemp("page") / "report.html", render_page(made))


@pytest.fixture
def browse(driver, page_file):
    """Opens the page as someone has it; afterwards nothing was loaded, ran that should not, or was complained of."""

    def browse(file=page_file, *, width=1280, height=900, scripts=True, media="", **features):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        preferred = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": preferred})
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        driver.get(file.as_uri())
        if scripts:
            until(lambda: driver.execute_script("return document.documentElement.dataset.ready"))
        return driver

    yield browse
    assert driver.get_log("browser") == []
    assert driver.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)") == []
    assert driver.execute_script("return window.harmed ?? null") is None


def until(happened, seconds=10.0):
    """What ``happened`` returns as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)
    return found


@pytest.fixture
def wait():
    """Waits until something has happened."""
    return until


def shown(number, name, *, side=SIDE, grid=GRID):
    """A picture of soft colours, its replacement of soft colours, and a walk for each method."""
    random = np.random.default_rng(number)
    image, replacement = (soft(random, side) for _ in range(2))
    rows = np.arange(side) * grid // side
    regions = rows[:, None] * grid + rows
    regions[:, -3:] = -1  # a margin that is never removed
    walks = []
    for method in METHODS[1:]:
        heatmap = soft(random, side)[..., 0] / 127.5 - 1.0
        scores = 8 - np.cumsum(random.random(STEPS + 1))
        steps = np.arange(0, STEPS + 1, 2)
        walks.append(Walk(method, heatmap, random.permutation(grid * grid)[:STEPS], steps, scores[steps]))
    imputed = number == 2
    return Shown(name, f"{CLOSING} 0.93", image, walks, None if imputed else replacement, regions)


def soft(random, side):
    """Smooth noise: like a photograph, it survives lossy compression."""
    waves = random.normal(size=(3, 4))
    x = np.linspace(0, 3, side)
    channels = [a * np.sin(b + 2 * x)[:, None] + c * np.cos(d + 3 * x)[None] for a, b, c, d in waves]
    values = np.stack(channels, axis=-1)
    return (255 * (values - values.min()) / np.ptp(values)).astype(np.uint8)


def made_page(pictures):
    """Everything that a page may have."""
    random = np.random.default_rng(0)
    above, absolute = bands(random, METHODS[1:]), bands(random, METHODS)
    points = {name: random.normal(size=(40, 2)) + number for number, name in enumerate(METHODS)}
    logits = {"x": "removed regions", "y": "logit", "removed_fraction": np.linspace(0, 0.16, STEPS + 1)}
    sizes = {name: values[:, 0] for name, values in points.items()}
    charts = [
        CurvesChart(name="above", caption="AOPC above random", about="Higher is better.", bands=above, **logits),
        CurvesChart(name="aopc", caption="AOPC", bands=absolute, **logits),
        ScatterChart(name="plane", caption="Size and entropy", x="JPEG, bytes", y="entropy, bits", points=points),
        BoxesChart(name="sizes", caption="Sizes", x="JPEG, bytes", y="", values=sizes),
    ]
    pictured = np.stack([one.image for one in pictures]) / 255.0
    maps = {
        walk.name: np.stack([one.walks[place].heatmap for one in pictures])
        for place, walk in enumerate(pictures[0].walks)
    }
    rows = {"images": pictured, "heatmaps": maps, "captions": [one.name for one in pictures]}
    gallery = Gallery(name="gallery", caption="Heatmaps", **rows)
    return Page(
        title=f"Which method? {CLOSING}",
        verdict=[
            "lrp-alphabeta explains best: 3.47 logits above random, 95 % [2.25, 4.82].",
            f"{IMAGE} is not told apart.",
        ],
        about=["48 images", TURNED, "SqueezeNet 1.1", "MoRF, 24 of 256 regions"],
        warnings=[f"Only 48 images. {IMAGE}", "The replacement leaves the data: see the audit."],
        sections=[
            Section("Curves", ["Above the random order, and as they are."], charts=charts[:2]),
            Section("Numbers", tables=made_tables(random)),
            Section("Complexity", charts=charts[2:]),
            Section("Picture by picture", ["Move the slider."], shown=pictures, unit="logit", fallback=gallery),
            Section(IMAGE, figures=[Gallery(name="special", caption=SPECIAL, **rows)]),
        ],
        skipped=[(f"{IMAGE}.jpg", "broken"), (TURNED, CLOSING)],
        command=f"heatproof compare 'a b' \\\n  --methods {SPECIAL!r}",
        reproduce="torch 2.6, seed 0, 4 threads.",
    )


def bands(random, names):
    """A curve with its interval for each name."""
    found = []
    for name in names:
        middle = np.cumsum(random.random(STEPS + 1) - 0.2)
        middle -= middle[0]
        width = 0.3 * np.sqrt(np.arange(STEPS + 1))
        found.append(Band(name, middle, middle - width, middle + width, is_reference=name == "random"))
    return found


def made_tables(random):
    """Numbers, numbers with None, and texts that begin with numbers."""
    numbers = [-0.5, 11.684, 2.25, None, 1e-9, 100.125, 3.0, 2.5, 7.75]
    aopc = tuple((name, value, place) for place, (name, value) in enumerate(zip(METHODS, numbers, strict=True)))
    intervals = tuple(
        (name, f"{value:.2f} [{value - 1:.2f}, {value + 1:.2f}]")
        for name, value in zip(METHODS, random.normal(size=9), strict=True)
    )
    return {
        "AOPC ↑": Table(("method", "AOPC ↑", "images"), aopc, notes=(f"{SPECIAL} 48 images.",)),
        f"Intervals {CLOSING}": Table(("method", "difference"), intervals),
        "One row": Table((SPECIAL, IMAGE), (("a_b", None),)),
    }
