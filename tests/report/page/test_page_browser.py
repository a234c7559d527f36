"""The page in Chromium: with and without its script, light, dark, narrow and printed."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from energysim.report import Report
from energysim.report.page import render_page
from energysim.walker import estimate

from .test_page_whole import HOSTILE, ODD, hostile_report

pytestmark = pytest.mark.browser

SORTED = "#layers thead th[aria-sort]"


@pytest.fixture(scope="module")
def reports(triple: Report) -> list[Report]:
    return [triple, estimate("resnet18-cifar10", "psconv", "eyeriss", batch=2)]


@pytest.fixture
def page(browser: Any, folder: Path, reports: list[Report]) -> Iterator[Any]:
    """The page of two pieces of hardware, freshly loaded, in a light window; no error may be logged."""
    show(browser, folder / "page.html", reports)
    yield browser
    assert browser.get_log("browser") == []


def show(browser: Any, path: Path, reports: list[Report]) -> None:
    """Write a page and load it on a usual device."""
    path.write_text(render_page(reports), "utf-8")
    devices(browser)
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(path.as_uri())
    settle(browser)


def settle(browser: Any) -> None:
    """Scrolling softly would still be under way when the next thing is looked at."""
    browser.execute_script("document.documentElement.style.scrollBehavior = 'auto'")


def devices(
    browser: Any, width: int = 1300, scheme: str = "light", media: str = "", script: bool = True
) -> None:
    """Pretend to be another device."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})


def found(browser: Any, selector: str) -> list[Any]:
    """Elements of a CSS selector."""
    elements: list[Any] = browser.find_elements("css selector", selector)
    return elements


def names(browser: Any) -> list[str]:
    """Layers in the order shown, but for the line of all folded nodes; hidden ones left out."""
    rows = "[...document.querySelectorAll('#layers tbody th')].filter(one => one.checkVisibility())"
    texts: list[str] = browser.execute_script(f"return {rows}.map(one => one.textContent)")
    return [text for text in texts if "folded nodes" not in text]


def energies(report: Report, run: int) -> Counter[str]:
    """Layer -> energy [aJ], for layers with traffic of their own."""
    origins = {row.node: row.origin for row in report.runs[run].layers if row.folded_into is None}
    sums: Counter[str] = Counter()
    for access in report.runs[run].accesses:
        if access.node in origins:
            sums[origins[access.node]] += access.energy_aj
    return sums


def test_nothing_is_asked_of_any_server(page: Any) -> None:
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert urls and all(url.startswith(("file:", "data:,")) for url in urls)


def test_sorting(page: Any, reports: list[Report]) -> None:
    first = names(page)
    button = found(page, "#layers thead th[data-c='1'] button")[0]  # energy of the second scheme
    sums = energies(reports[0], 1)
    down = sorted(first, key=lambda name: -sums[name])  # stable: equal ones in network order
    button.click()
    assert names(page) == down != first
    assert [th.get_attribute("aria-sort") for th in found(page, SORTED)] == ["descending"]
    button.click()
    assert names(page) == sorted(first, key=lambda name: sums[name])
    assert [th.get_attribute("aria-sort") for th in found(page, SORTED)] == ["ascending"]
    found(page, "#reset")[0].click()
    assert names(page) == first and found(page, SORTED) == []


def test_sorting_by_keyboard(page: Any, reports: list[Report]) -> None:
    button = found(page, "#layers thead th[data-c='3'] button")[0]  # dense on the other hardware
    page.execute_script("arguments[0].focus()", button)
    page.switch_to.active_element.send_keys("\ue007")  # Enter
    sums = energies(reports[1], 0)
    assert names(page) == sorted(names(page), key=lambda name: -sums[name])
    page.switch_to.active_element.send_keys(" ")
    assert found(page, SORTED)[0].get_attribute("aria-sort") == "ascending"


def test_rows_without_a_value_come_last(browser: Any, folder: Path, triple: Report) -> None:
    """Nodes that one of the cases folds have no number there."""
    unfused = estimate("resnet18-cifar10", batch=2, fusion="none")
    show(browser, folder / "unfused.html", [triple, unfused])
    head = "#layers thead th[data-c='0']"
    for direction in ("descending", "ascending"):
        found(browser, f"{head} button")[0].click()
        assert found(browser, head)[0].get_attribute("aria-sort") == direction
        rows = "[...document.querySelectorAll('#layers tbody tr')]"
        cells = browser.execute_script(f"return {rows}.map(row => row.cells[3].textContent.trim())")
        last = cells.index("")
        assert 0 < last < len(cells) - 1 and set(cells[last:]) == {""}


def test_filtering(page: Any) -> None:
    from selenium.webdriver.support.select import Select

    every = names(page)
    box = found(page, "#find")[0]
    box.send_keys("LAYER1")
    assert names(page) == [name for name in every if "layer1" in name]
    assert found(page, "#told")[0].text.startswith(f"{len(names(page))} of {len(every) + 1} rows")
    Select(found(page, "#part")[0]).select_by_visible_text("other")
    box.clear()
    kept = names(page)
    assert 0 < len(kept) < len(every)
    assert all("conv" not in name for name in kept)


def test_choosing_quantities(page: Any) -> None:
    def shown() -> set[str]:
        heads = found(page, "#layers thead tr:first-child th[scope=colgroup]")
        return {head.text.partition(" [")[0] for head in heads if head.is_displayed()}

    assert shown() == {"energy"}  # five runs: the others on demand
    cells = found(page, "#layers tbody tr:first-child td")
    seen = [cell.is_displayed() for cell in cells]
    labels = {label.text: label for label in found(page, ".choices label")}
    labels["MACs"].click()
    labels["energy"].click()
    assert shown() == {"MACs"}
    now = [cell.is_displayed() for cell in cells]
    assert sum(seen) == sum(now) == 2 + 5 and seen != now


def test_a_layer_leads_to_its_mappings(page: Any) -> None:
    assert found(page, "details[open]") == []
    found(page, "#layers tbody a")[1].click()
    (opened,) = found(page, "details[open]")
    assert opened.find_element("css selector", "code").is_displayed()


def test_the_pointer_names_what_it_is_over(page: Any) -> None:
    from selenium.webdriver import ActionChains

    strip = found(page, "svg")[1]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", strip)
    ActionChains(page).move_to_element(strip).perform()
    (told,) = [output.text for output in found(page, "output") if output.text]
    name, _, value = told.partition(": ")
    (row,) = [r for r in found(page, "#layers tbody tr") if r.find_element("css selector", "th").text == name]
    assert value.split()[0] == row.find_elements("css selector", "td")[3].text
    assert value.split()[1] in found(page, "#layers thead th[scope=colgroup]")[0].text


def test_without_script_all_is_there(page: Any, reports: list[Report]) -> None:
    devices(page, script=False)
    page.refresh()
    settle(page)
    assert len(names(page)) == len(energies(reports[0], 0))
    assert found(page, "#layers thead button") == []
    assert not found(page, ".controls")[0].is_displayed()
    cells = found(page, "#layers tbody tr:first-child td")
    before = [cell.is_displayed() for cell in cells]
    found(page, ".choices input")[2].click()
    assert sum(cell.is_displayed() for cell in cells) > sum(before)
    found(page, "details summary")[0].click()
    assert found(page, "details code")[0].is_displayed()


def brightness(page: Any, selector: str, what: str) -> float:
    """Relative luminance of a colour (WCAG 2.2)."""
    element = found(page, selector)[0]
    text = page.execute_script(f"return getComputedStyle(arguments[0]).{what}", element)
    parts = [int(part) / 255 for part in text.partition("(")[2].rstrip(")").split(",")[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(page: Any, scheme: str) -> None:
    """Contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3), light and dark."""
    devices(page, scheme=scheme)
    pairs = [
        ("body", "body"),
        ("footer", "body"),
        ("nav a", "body"),
        ("#layers tbody a", "#layers tbody th"),
        ("#layers thead button", "#layers thead th"),
        ("#layers tbody td", "#layers tbody th"),
        (".kind.alarm", ".wide"),
        ("#layers tfoot td", "#layers tfoot td"),
    ]
    for text, ground in pairs:
        values = brightness(page, text, "color"), brightness(page, ground, "backgroundColor")
        assert (max(values) + 0.05) / (min(values) + 0.05) >= 4.5, (text, ground)
    assert (brightness(page, "body", "backgroundColor") < 0.1) == (scheme == "dark")


def test_text_upon_bars_stands_out(page: Any) -> None:
    seen = 0
    for number in range(5):
        if found(page, f".stack .l{number}"):
            seen += 1
            one = f".stack .l{number}"
            values = brightness(page, one, "color"), brightness(page, one, "backgroundColor")
            assert (max(values) + 0.05) / (min(values) + 0.05) >= 4.5
    assert seen == 5


def test_narrow_screens_do_not_scroll_sideways(page: Any) -> None:
    devices(page, width=400)
    page.refresh()
    settle(page)
    assert page.execute_script("return document.documentElement.scrollWidth") <= 400
    assert found(page, "#layers tbody th")[0].is_displayed()


def test_printing(page: Any) -> None:
    devices(page, media="print", scheme="dark")
    assert not found(page, "nav")[0].is_displayed() and not found(page, ".controls")[0].is_displayed()
    assert brightness(page, "body", "backgroundColor") == 1 and brightness(page, "body", "color") == 0
    assert (
        page.execute_script("return getComputedStyle(document.querySelector('.tall')).overflowY") == "visible"
    )
    devices(page)
    made = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"])
    assert made.startswith(b"%PDF")


def test_hostile_names_do_nothing(browser: Any, folder: Path) -> None:
    show(browser, folder / "hostile.html", [hostile_report()])
    assert browser.title == f"{HOSTILE[0]} on {ODD} - energysim"
    assert names(browser) == [*HOSTILE[:-1], "left?right??"]
    found(browser, "#layers thead button")[0].click()
    found(browser, "#find")[0].send_keys("onmouseover")
    assert names(browser) == [HOSTILE[2]]
    found(browser, "#find")[0].clear()
    found(browser, "#find")[0].send_keys("СЛОЙ")
    assert names(browser) == [HOSTILE[4]]
    assert browser.get_log("browser") == []
