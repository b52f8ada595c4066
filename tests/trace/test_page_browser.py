"""The page in a browser, at a desk's and at a phone's width: forward and back, by key, by button, by finger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import headless
from tests.conformance.golden_apps import CASES, FRAMEWORKS, record
from wsgi_core.trace import Event, compare
from wsgi_core.trace.page import render_page

SIZES = {"desk": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with headless() as browser:
        yield browser


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Event]]:
    """The page's address, and the events that are on it."""
    case = CASES["before_request_answers"]
    left, right = (record(case.build, case.drive, fw, name, True) for name, fw in FRAMEWORKS.items())
    file: Path = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(render_page(compare(left.events, right.events), left, right), encoding="utf-8")
    return file.as_uri(), left.events


class Page:
    """The page in a window, and what is seen on it."""

    def __init__(self, driver: webdriver.Chrome, address: str, events: list[Event]) -> None:
        self.driver = driver
        self.events = events
        driver.get("about:blank")
        driver.get_log("browser")  # what other pages have said
        driver.get(address)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, key: str) -> None:
        self.find("body").send_keys(key)

    def click(self, name: str) -> None:
        self.find(f"[data-go={name}]").click()

    def click_in_the_middle(self, selector: str) -> None:
        """Where the player doesn't lie above it."""
        element = self.find(selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def seen(self) -> int:
        """The number of the one step that is shown; player, list and address agree about it."""
        displayed, player, current, address, head = self.driver.execute_script(
            "const find = (selector) => document.querySelector(selector);"
            "return [[...document.querySelectorAll('#steps > li')].map(each => each.checkVisibility()),"
            " find('#player output').value, find('nav [aria-current]').hash, location.hash, find('.now h2').innerText]"
        )
        (number,) = (i for i, is_displayed in enumerate(displayed, 1) if is_displayed)
        assert player == f"{number} / {len(self.events)}"
        assert current == address == f"#step-{number}"
        assert self.events[number - 1].kind in head
        return number

    def check(self) -> None:
        """Nothing went wrong, and nothing is wider than the window."""
        assert [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        wide, window = self.driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= window


@pytest.fixture(params=["desk", pytest.param("phone", marks=pytest.mark.long)])
def page(request: pytest.FixtureRequest, driver: webdriver.Chrome, written: tuple[str, list[Event]]) -> Page:
    width, height = SIZES[request.param]
    is_phone = request.param == "phone"
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": is_phone})
    return Page(driver, *written)


def test_walking_by_keys(page: Page) -> None:
    walked = [page.seen()]
    for key in (Keys.RIGHT, Keys.RIGHT, Keys.LEFT, Keys.END, Keys.RIGHT, Keys.LEFT, Keys.HOME, Keys.LEFT):
        page.press(key)
        walked.append(page.seen())
    last = len(page.events)
    assert walked == [1, 2, 3, 2, last, last, last - 1, 1, 1]
    page.check()


def test_walking_by_buttons(page: Page) -> None:
    assert not page.find("[data-go=back]").is_enabled()
    walked = []
    for name in ("forward", "forward", "back", "last", "back", "first"):
        page.click(name)
        walked.append(page.seen())
    last = len(page.events)
    assert walked == [2, 3, 2, last, last - 1, 1]
    page.check()


def test_the_slider_goes_where_it_is_put(page: Page) -> None:
    slider = page.find("#player input")
    slider.send_keys(Keys.RIGHT)
    assert page.seen() == 2  # one step, although the page listens to the key as well
    slider.send_keys(Keys.END)
    assert page.seen() == len(page.events)


def test_every_step_shows_its_lines(page: Page) -> None:
    with_code = 0
    for event in page.events:
        in_sight = page.driver.execute_script(
            "return [...document.querySelectorAll('.step.now .pane')].map(pane => {"
            " const a = pane.querySelector('pre').getBoundingClientRect();"
            " const b = pane.querySelector('.current').getBoundingClientRect();"
            " return b.top >= a.top - 1 && b.bottom <= a.bottom + 1 })"
        )
        assert all(in_sight), str(event)
        with_code += bool(in_sight)
        page.press(Keys.RIGHT)
    assert with_code > 15
    page.check()


def test_a_call_further_out_can_be_seen(page: Page) -> None:
    page.driver.execute_script("location.hash = '#step-8'")
    assert page.find(".step.now h2").text == "8 before_request first answers"
    page.find(".step.now .crumbs a[title*='app.py']").click()
    shown = page.find(".step.now .pane .current").text
    assert "self.wsgi_app(environ, start_response)" in shown
    page.seen()


def test_an_event_of_the_list_leads_to_its_step(page: Page) -> None:
    details = page.find("nav details")
    if not details.get_attribute("open"):  # folded where there is no room beside the step
        page.click_in_the_middle("nav summary")
    page.click_in_the_middle("nav li:nth-child(5) a")
    assert page.seen() == 5


def test_a_swipe_is_a_step(page: Page) -> None:
    def swipe(begin: int, end: int) -> None:
        left, top = page.driver.execute_script(
            "const box = document.querySelector('.step.now h2').getBoundingClientRect(); return [box.left, box.top]"
        )
        for kind, x in (("touchStart", begin), ("touchMove", end), ("touchEnd", end)):
            points = [] if kind == "touchEnd" else [{"x": left + x, "y": top + 5}]
            page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    swipe(300, 100)
    assert page.seen() == 2
    swipe(100, 300)
    assert page.seen() == 1


def test_an_address_with_a_step_begins_there(page: Page, written: tuple[str, list[Event]]) -> None:
    page.driver.get("about:blank")
    page.driver.get(f"{written[0]}#step-7")
    assert page.seen() == 7


def test_without_a_script_the_page_is_a_list(page: Page, written: tuple[str, list[Event]]) -> None:
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.driver.get("about:blank")
        page.driver.get(written[0])
        steps = page.driver.find_elements(By.CSS_SELECTOR, "#steps > li")
        assert len(steps) == len(page.events)
        assert all(each.is_displayed() for each in (steps[0], steps[-1]))
        assert page.find("#sources").is_displayed()
        assert not page.find("#player").is_displayed()
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
