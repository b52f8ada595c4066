"""Take the screenshot for the README with Chromium: ``python -m tests.docs.picture``.

It shows the step-through page of the golden trace ``ok``, at the step where the view runs.
"""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

from selenium.webdriver.common.by import By

from tests.browser import headless
from tests.conformance.golden_apps import CASES
from tests.docs.traces import page

PICTURE = Path(__file__).parents[2] / "docs" / "step-through.png"
SCREEN = {"width": 1440, "height": 757, "deviceScaleFactor": 1, "mobile": False}
LIGHT = {"features": [{"name": "prefers-color-scheme", "value": "light"}]}


def take() -> bytes:
    """Return the screenshot as PNG, in light mode."""
    with tempfile.TemporaryDirectory() as folder, headless() as driver:
        file = Path(folder) / "ok.html"
        file.write_text(page("ok", CASES["ok"]), encoding="utf-8", errors="backslashreplace")
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SCREEN)
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", LIGHT)
        driver.get(file.as_uri())
        driver.find_element(By.XPATH, "//a[starts-with(@href, '#step-')][.//b[text()='view']]").click()
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        return base64.b64decode(shot["data"])


if __name__ == "__main__":
    PICTURE.write_bytes(take())
