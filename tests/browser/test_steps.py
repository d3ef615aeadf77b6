"""Pictures are destroyed exactly as the perturbation did it."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from heatproof.report.page import Page, Section, Shown, Walk, render_page, write_page

TOLERANCE = 2  # browsers and Pillow turn the colours of WebP into red, green and blue with different rounding
PICTURE = "return document.querySelectorAll('.walk canvas')[arguments[0]].toDataURL()"


def decoded(address):
    head, content = address.split(",", 1)
    assert head.startswith("data:image/")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")).astype(int)


def data_of(driver):
    return json.loads(driver.find_element(By.ID, "data").get_attribute("textContent"))


def destroyed(shown, walk, images, step):
    """where(removed_at <= step, replacement, image), transcribed."""
    removed_at = np.full(shown.regions.shape, np.inf)
    for place, region in enumerate(walk.order):
        removed_at[shown.regions == region] = place + 1
    image, replacement = images
    return np.where((removed_at <= step)[..., None], replacement, image)


def slider(driver):
    return driver.find_element(By.CSS_SELECTOR, ".controls input")


def choose(driver, wait, place, name):
    driver.find_elements(By.CSS_SELECTOR, ".thumbs button")[place].click()
    wait(lambda: driver.find_element(By.CSS_SELECTOR, ".viewer h3").text.startswith(name))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_slider_shows_every_step_as_it_was(browse, wait, pictures, number):
    driver, shown = browse(), pictures[number]
    told = data_of(driver)["walks"][0]["pictures"][number]
    choose(driver, wait, number, told["name"])
    image = decoded(told["image"])
    replacement = np.full_like(image, 128) if told["replacement"] is None else decoded(told["replacement"])
    assert (told["replacement"] is None) == (number == 2)
    keys = [(Keys.HOME, 0), (Keys.ARROW_RIGHT, 1), (Keys.ARROW_RIGHT, 2), (Keys.END, 24), (Keys.ARROW_LEFT, 23)]
    for key, step in keys:
        slider(driver).send_keys(key)
        assert driver.find_element(By.CSS_SELECTOR, ".controls output").text == f"{step} of 24 regions removed"
        for place, walk in list(enumerate(shown.walks))[::3]:
            seen = decoded(driver.execute_script(PICTURE, place))
            wanted = destroyed(shown, walk, (image, replacement), step)
            assert np.abs(seen - wanted).max() <= TOLERANCE


def test_the_pictures_are_those_of_the_study(browse, pictures):
    for told, shown in zip(data_of(browse())["walks"][0]["pictures"], pictures, strict=True):
        assert np.abs(decoded(told["image"]) - shown.image).mean() < 3
        for walk in told["walks"]:
            assert decoded(walk["heatmap"]).shape == (60, 60, 3)


def test_a_score_is_that_of_its_step(browse, pictures):
    driver, walk = browse(), pictures[0].walks[0]
    for step, keys in ((0, [Keys.HOME]), (4, [Keys.ARROW_RIGHT] * 4), (24, [Keys.END])):
        slider(driver).send_keys(*keys)
        said = driver.find_element(By.CSS_SELECTOR, ".walk p").text
        assert said.endswith(f"score {walk.scores[step // 2]:#.3g}".replace("-", "−"))


def test_pictures_that_nothing_is_removed_from_stand_beside_their_heatmaps(browse, pictures, tmp_path):
    shown = [Shown(one.name, one.label, one.image, [Walk("lrp", one.walks[0].heatmap)]) for one in pictures]
    page = Page("Heatmaps", sections=[Section("Pictures", shown=shown)])
    driver = browse(write_page(tmp_path / "maps.html", render_page(page)))
    assert driver.find_elements(By.CSS_SELECTOR, "canvas, .plot, .controls") == []
    picture, heatmap = driver.find_elements(By.CSS_SELECTOR, ".walk img")
    assert picture.size == heatmap.size
    assert picture.location["y"] == heatmap.location["y"]
    assert (tmp_path / "maps.html").stat().st_size < 500_000  # without Plotly


def test_a_card_says_how_much_is_gone_and_what_is_left(browse, pictures):
    driver, (shown, *_) = browse(), pictures
    slider(driver).send_keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 5)
    walk = shown.walks[0]
    share = np.isin(shown.regions, walk.order[:5]).mean()
    score = f"{walk.scores[2]:#.3g}".replace("-", "−")  # scores were taken after every second step
    (said, *_) = driver.find_elements(By.CSS_SELECTOR, ".walk p")
    assert said.text == f"{100 * share:.1f} % removed · score {score} (after step 4)"
    label = driver.find_element(By.CSS_SELECTOR, ".walk canvas").get_attribute("aria-label")
    assert label.startswith(f"{walk.name}: step 5 of 24, {100 * share:.1f} % removed, score")
    assert slider(driver).get_attribute("aria-valuetext") == "5 of 24 regions removed"
    marks = "const { data } = document.querySelector('.viewer .plot'); return data.at(-1)"
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    marked = driver.execute_script(marks)
    assert marked["x"] == [4] * 8
    assert marked["y"] == pytest.approx([one.scores[2] for one in shown.walks], rel=1e-5)


def test_play_goes_on_by_itself_until_it_is_paused(browse, wait):
    driver = browse()
    button = driver.find_element(By.CSS_SELECTOR, ".controls button")
    assert button.text == "Play"
    button.click()
    assert button.text == "Pause"
    wait(lambda: int(slider(driver).get_property("value")) >= 2)
    button.click()
    assert button.text == "Play"
    paused = slider(driver).get_property("value")
    driver.execute_async_script("setTimeout(arguments[0], 600)")
    assert slider(driver).get_property("value") == paused


def test_play_ends_at_the_last_step(browse, wait):
    driver = browse()
    slider(driver).send_keys(Keys.END, Keys.ARROW_LEFT)
    button = driver.find_element(By.CSS_SELECTOR, ".controls button")
    button.click()
    wait(lambda: button.text == "Play")
    assert slider(driver).get_property("value") == "24"


def test_nothing_moves_by_itself_where_motion_is_not_wanted(browse):
    driver = browse(reduced_motion="reduce")
    button = driver.find_element(By.CSS_SELECTOR, ".controls button")
    assert button.text == "Next"
    for step in (3, 6, 9):
        button.click()
        assert int(slider(driver).get_property("value")) == step
    assert driver.execute_script("return getComputedStyle(document.documentElement).scrollBehavior") == "auto"
