"""Methods are shown and hidden everywhere at once; tables are sorted by value and copied as one sees them."""

import math

import pytest
from selenium.webdriver.common.by import By

from heatproof.report import Table
from heatproof.report.page.texts import visible

VISIBLE = """
return [...document.querySelectorAll('.plot')].map((plot) =>
  plot.data.filter((trace) => trace.meta?.series === arguments[0]).map((trace) => trace.visible));
"""
CARDS = """
const cards = [...document.querySelectorAll('.walk')];
return cards.filter((card) => card.checkVisibility()).map((card) => card.dataset.series);
"""
STUB = (
    "Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => { window.copied = text; } } })"
)


def labels(driver):
    return {label.text: label for label in driver.find_elements(By.CSS_SELECTOR, ".filter label")}


def tables(driver):
    return driver.find_elements(By.CSS_SELECTOR, ".table")


def body(table):
    rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
    return [[cell.text for cell in row.find_elements(By.CSS_SELECTOR, "th, td")] for row in rows]


def sort_by(table, column):
    head = table.find_elements(By.CSS_SELECTOR, "thead th")[column]
    head.find_element(By.TAG_NAME, "button").click()
    return head.get_attribute("aria-sort")


@pytest.fixture
def methods(made):
    return [band.name for band in made.sections[0].charts[1].bands]


@pytest.fixture
def aopc(made):
    return made.sections[1].tables["AOPC ↑"]


def test_every_method_can_be_hidden_by_name(browse, methods):
    assert set(labels(browse())) == {" ".join(visible(name).split()) for name in methods}


@pytest.mark.parametrize("place", [0, 4, 6])
def test_a_method_is_hidden_in_all_charts_and_pictures(browse, methods, place):
    driver, name = browse(), methods[place]
    walked = [one for one in methods if one != "random"]
    assert all(all(shown) for shown in driver.execute_script(VISIBLE, name))
    labels(driver)[visible(name)].click()
    plots = driver.execute_script(VISIBLE, name)
    assert sum(map(bool, plots)) == (3 if name == "random" else 5)  # that of a picture and that above random have none
    assert not any(any(shown) for shown in plots)
    assert all(all(shown) for shown in driver.execute_script(VISIBLE, methods[1 if place != 1 else 3]))
    assert driver.execute_script(CARDS) == [one for one in walked if one != name]
    driver.find_element(By.CSS_SELECTOR, ".filter button").click()
    assert all(all(shown) for shown in driver.execute_script(VISIBLE, name))
    assert driver.execute_script(CARDS) == walked


def test_a_method_has_one_colour_wherever_it_is(browse, methods):
    driver = browse()
    found = """
    const [name] = arguments;
    const traces = [...document.querySelectorAll('.plot')].flatMap((plot) => plot.data);
    const lines = traces.filter(({ meta }) => meta?.series === name && meta.part === 'line');
    const labels = [...document.querySelectorAll('.filter label')].filter(({ textContent }) => textContent === name);
    const swatches = labels.map((label) => getComputedStyle(label.querySelector('line')).stroke);
    return [...lines.map(({ line }) => line.color), ...swatches];
    """
    colours = {name: driver.execute_script(found, name) for name in methods if name == visible(name)}
    assert all(len(one) >= 2 and len(set(map(channels, one))) == 1 for one in colours.values())
    assert len({channels(one[0]) for one in colours.values()}) == 7  # of eight, as the ninth has the first one, dashed


def channels(colour):
    """Of a colour in either notation."""
    if colour.startswith("#"):
        return tuple(bytes.fromhex(colour[1:]))
    return tuple(int(part) for part in colour[4:-1].split(","))


def test_numbers_are_sorted_by_value_and_what_has_none_stands_last(browse, aopc):
    driver = browse()
    (table, *_) = tables(driver)
    heads = table.find_elements(By.CSS_SELECTOR, "thead th")
    assert [head.get_attribute("aria-sort") for head in heads] == ["none"] * 3
    known = [row for row in aopc.rows if row[1] is not None]
    for order, sign in (("descending", -1), ("ascending", 1)):
        assert sort_by(table, 1) == order
        assert [head.get_attribute("aria-sort") for head in heads] == ["none", order, "none"]
        wanted = [str(row[2]) for row in sorted(known, key=lambda row: sign * row[1])]
        assert [row[2] for row in body(table)] == [*wanted, "3"]
        assert driver.find_element(By.ID, "said").get_attribute("textContent") == f"Sorted by AOPC ↑, {order}."
    sort_by(table, 0)
    assert heads[1].get_attribute("aria-sort") == "none"


def test_numbers_with_intervals_are_sorted_by_the_number(browse):
    table = tables(browse())[1]
    assert sort_by(table, 1) == "descending"
    values = [float(row[1].split()[0]) for row in body(table)]
    assert values == sorted(values, reverse=True)
    assert min(values) < 0 < max(values)


def test_a_single_row_is_not_sortable(browse):
    assert tables(browse())[2].find_elements(By.CSS_SELECTOR, "thead button") == []


def copied(driver, wait, shown):
    """What each button below a table copies."""
    found = {}
    for button in shown.find_elements(By.CSS_SELECTOR, ".copies button"):
        name = button.text
        button.click()
        found[name] = wait(lambda: driver.execute_script("return window.copied"))
        driver.execute_script("window.copied = ''")
    return found


def forms(table):
    return {"Markdown": table.to_markdown(), "LaTeX": table.to_latex(), "CSV": table.to_csv()}


def test_tables_are_copied_in_the_order_that_one_sees(browse, wait, made, aopc):
    driver = browse()
    driver.execute_script(STUB)
    first, _, last = tables(driver)
    assert copied(driver, wait, last) == forms(made.sections[1].tables["One row"])
    assert copied(driver, wait, first) == forms(aopc)
    sort_by(first, 1)
    rows = sorted(aopc.rows, key=lambda row: -math.inf if row[1] is None else row[1], reverse=True)
    driver.execute_async_script("setTimeout(arguments[0], 1600)")  # until the buttons have their names again
    assert copied(driver, wait, first) == forms(Table(aopc.columns, tuple(rows), aopc.notes))


def test_the_command_is_copied_whole(browse, wait, made):
    driver = browse()
    driver.execute_script(STUB)
    driver.find_element(By.CSS_SELECTOR, ".command button").click()
    assert wait(lambda: driver.execute_script("return window.copied")) == made.command
    wait(lambda: driver.find_element(By.ID, "said").get_attribute("textContent") == "Copied the command.")


def test_a_long_table_shows_and_copies_only_the_rows_with_a_text(browse, made):
    driver = browse()
    (place,) = [number for number, one in enumerate(made.sections[1].tables.values()) if len(one.rows) >= 9][:1]
    table = tables(driver)[place]
    field = table.find_element(By.CSS_SELECTOR, ".search")
    field.send_keys("LRP-ALPHA")
    seen = [row[0] for row in body(table) if row[0]]
    assert seen == ["lrp-alphabeta"]
    driver.execute_script(STUB)
    table.find_element(By.XPATH, ".//button[text()='CSV']").click()
    copied = driver.execute_script("return window.copied").splitlines()
    assert [line.split(",")[0] for line in copied[1:]] == ["lrp-alphabeta"]
    field.clear()
    field.send_keys(" ")
    assert len([row for row in body(table) if row[0]]) == len(list(made.sections[1].tables.values())[place].rows)


def test_a_short_table_is_not_searched(browse, made):
    driver = browse()
    short = [number for number, one in enumerate(made.sections[1].tables.values()) if len(one.rows) < 9]
    assert short
    assert not any(tables(driver)[number].find_elements(By.CSS_SELECTOR, ".search") for number in short)
