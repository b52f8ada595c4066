"""A page of the service in a browser, used with touch events on a phone and with a mouse on a desktop."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait


class Page:
    """A browser window on one of the services."""

    def __init__(self, driver: webdriver.Chrome, root: str, is_phone: bool) -> None:
        self.driver = driver
        self.root = root
        self.is_phone = is_phone

    def open(self, path: str) -> None:
        self.driver.get_log("browser")  # discards the log of earlier pages
        self.driver.get(self.root + path)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def wait(self, selector: str, *, other_than: str) -> str:
        """Wait until the text of an element is neither empty nor ``other_than``, and return the text."""

        def read(driver: Any) -> Any:
            text = self.find(selector).text
            return text if text not in ("", other_than) else False

        return str(WebDriverWait(self.driver, 20, poll_frequency=0.05).until(read))

    def wait_until(self, condition: Callable[[Any], object]) -> None:
        WebDriverWait(self.driver, 20, poll_frequency=0.05).until(condition)

    def find_all(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def stroke(self, points: list[tuple[float, float]]) -> None:
        """Draw a line on the pad with touch or mouse events."""
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
        """Check that no error was logged, no file came from another site, and the page is not wider than the window."""
        assert [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        loaded = self.driver.execute_script("return performance.getEntriesByType('resource').map(each => each.name)")
        assert [name for name in loaded if not name.startswith((self.root, "data:"))] == []
        wide, window = self.driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= window


def png(rows: list[list[int]]) -> bytes:
    """Return a greyscale image as a PNG file (W3C Portable Network Graphics, 5)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
