"""The pages in a browser, by finger on a phone and by mouse on a desk: draw, upload, type, move, and see the answer."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import headless
from tests.drawings import ZERO
from tests.processes import Server

# Digits as strokes, in shares of the sheet's side.
STROKES = {
    0: [(0.5, 0.15), (0.33, 0.3), (0.3, 0.5), (0.33, 0.7), (0.5, 0.85), (0.67, 0.7), (0.7, 0.5), (0.5, 0.15)],
    1: [(0.4, 0.3), (0.52, 0.12), (0.52, 0.88)],
    7: [(0.3, 0.2), (0.7, 0.2), (0.55, 0.5), (0.42, 0.85)],
}  # fmt: skip


class Page:
    """A browser window on one of the services."""

    def __init__(self, driver: webdriver.Chrome, root: str, is_phone: bool) -> None:
        self.driver = driver
        self.root = root
        self.is_phone = is_phone

    def open(self, path: str) -> None:
        self.driver.get_log("browser")  # what other pages have said
        self.driver.get(self.root + path)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def wait(self, selector: str, *, other_than: str) -> str:
        """The text of an element as soon as it is another one."""

        def read(driver: Any) -> Any:
            text = self.find(selector).text
            return text if text not in ("", other_than) else False

        return str(WebDriverWait(self.driver, 20, poll_frequency=0.05).until(read))

    def stroke(self, points: list[tuple[float, float]]) -> None:
        """Draw on the pad as the browser's own events have it, finger or mouse."""
        box = self.driver.execute_script(
            "const b = document.getElementById('pad'); b.scrollIntoView({block: 'center'});"
            "const {left, top, width, height} = b.getBoundingClientRect(); return {left, top, width, height}"
        )
        places = [{"x": box["left"] + x * box["width"], "y": box["top"] + y * box["height"]} for x, y in points]
        first, *_, last = places
        kinds = ("touchStart", "touchMove", "touchEnd") if self.is_phone else ("Pressed", "Moved", "Released")
        for kind, place in [(kinds[0], first), *((kinds[1], place) for place in places), (kinds[2], last)]:
            if self.is_phone:
                self.send("Input.dispatchTouchEvent", type=kind, touchPoints=[place] if kind != "touchEnd" else [])
            else:
                self.send(
                    "Input.dispatchMouseEvent", type=f"mouse{kind}", button="left", buttons=1, clickCount=1, **place
                )

    def send(self, command: str, **parameters: Any) -> None:
        self.driver.execute_cdp_cmd(command, parameters)

    def check(self) -> None:
        """Nothing went wrong, nothing came from elsewhere, nothing is wider than the window."""
        assert [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        loaded = self.driver.execute_script("return performance.getEntriesByType('resource').map(each => each.name)")
        assert [name for name in loaded if not name.startswith((self.root, "data:"))] == []
        wide, window = self.driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= window


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with headless() as browser:
        yield browser


@pytest.fixture(params=["desk", pytest.param("phone", marks=pytest.mark.long)])
def page(request: pytest.FixtureRequest, driver: webdriver.Chrome, servers: dict[str, Server]) -> Page:
    """wsgi_core on a desk, and Flask on a phone that is dark."""
    is_phone = request.param == "phone"
    width, height = (390, 844) if is_phone else (1200, 900)
    server = servers["flask" if is_phone else "wsgi_core"]
    page = Page(driver, f"http://{server.host}:{server.port}", is_phone)
    page.send(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1 + is_phone,
        mobile=is_phone,
    )
    page.send("Emulation.setTouchEmulationEnabled", enabled=is_phone)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if is_phone else "light"}
    page.send("Emulation.setEmulatedMedia", features=[scheme])
    return page


def assert_times_are_shown(page: Page) -> None:
    rows = page.find("#times").text.splitlines()
    assert rows[-2].startswith("The service in all")
    assert rows[-1].startswith("With network, server and browser")
    assert any(row.startswith("Run the model") for row in rows)


def test_drawn_digits_are_recognised(page: Page):
    page.open("/demo/digits")
    for digit, points in STROKES.items():
        page.stroke(points)
        assert page.wait("#digit", other_than="?") == str(digit)
        assert page.find("#scores .best th").text == str(digit)
        page.find("#clear").click()
        assert page.find("#digit").text == "?"
    assert_times_are_shown(page)
    page.check()


def test_a_picture_of_a_digit_is_recognised(page: Page, tmp_path: Path):
    (tmp_path / "zero.png").write_bytes(png(ZERO))
    (tmp_path / "none.png").write_bytes(b"no picture")
    page.open("/demo/digits")
    page.find("#upload").send_keys(str(tmp_path / "zero.png"))
    assert page.wait("#digit", other_than="?") == "0"
    page.find("#upload").send_keys(str(tmp_path / "none.png"))
    assert "not a picture" in page.wait("#problem", other_than="")
    page.check()


def test_a_typed_sentence_is_classified(page: Page):
    page.open("/demo/sentiment")
    for sentence, label in (("What a wonderful film!", "positive"), ("The worst phone I ever had.", "negative")):
        page.find("#text").clear()
        page.find("#text").send_keys(sentence)
        page.find("#form button").click()
        WebDriverWait(page.driver, 20, poll_frequency=0.05).until(
            lambda _, said=sentence: said in page.find("#received").get_attribute("textContent")
        )
        assert page.find("#prediction").text == label
    page.find("#text").clear()
    page.find("#text").send_keys("asdf qwer zxcv")
    assert page.wait("#prediction", other_than="negative") == "can't tell"
    page.find("#text").send_keys("\ue009a", "\ue003")  # all of it, deleted
    assert page.wait("#prediction", other_than="can't tell") == "?"
    assert page.find("#confidence-text").text == ""
    assert_times_are_shown(page)
    page.check()


def test_a_moved_slider_changes_the_answer(page: Page):
    page.open("/demo/churn")
    before = page.wait("#probability", other_than="?")
    slider = page.find("#tenure_months")
    for _ in range(10):
        slider.send_keys("\ue014")  # the right arrow
    assert page.wait("#probability", other_than=before).endswith("%")
    assert page.find("output[for=tenure_months]").text == "22 months"
    assert_times_are_shown(page)
    page.check()


def test_the_start_page_leads_to_the_demos(page: Page):
    page.open("/")
    page.find(".cards a[href='/demo/digits']").click()
    assert page.find("h1").text == "Draw a digit"
    page.check()


def test_the_description_is_shown(page: Page):
    page.open("/docs")
    WebDriverWait(page.driver, 20).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, ".opblock"))
    shown = [element.text for element in page.driver.find_elements(By.CSS_SELECTOR, ".opblock-summary-path")]
    assert "/predict" in [text.replace("\u200b", "") for text in shown]
    dark = page.driver.execute_script("return document.documentElement.classList.contains('dark-mode')")
    assert dark is page.is_phone
    page.check()


def png(rows: list[list[int]]) -> bytes:
    """Shades as a PNG file (W3C Portable Network Graphics, 5)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
