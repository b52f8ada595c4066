"""A headless browser for tests of pages. Without Chromium and its driver, the test is skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from selenium import webdriver

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
DRIVERS = ("chromedriver", "chromium.chromedriver")


def _installed(names: tuple[str, ...]) -> str | None:
    """Return the path of the first of these programs that is installed, or None."""
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def headless() -> Iterator[webdriver.Chrome]:
    """Start a browser without a window, and end it with the block. If it is not installed, skip the test."""
    program, control = _installed(BROWSERS), _installed(DRIVERS)
    if program is None or control is None:
        pytest.skip("no Chromium with its driver here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.add_argument("--headless=new")
    if getattr(os, "geteuid", lambda: 1)() == 0:
        options.add_argument("--no-sandbox")  # Chromium does not start as root with its sandbox
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=control))
    try:
        yield browser
    finally:
        browser.quit()
