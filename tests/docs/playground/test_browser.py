"""The playground in headless Chromium: loading, running, editing, errors, endless loops, checks, a phone, offline.

PLAYGROUND_SITE names a folder with a built playground. Without it, the playground is built here.
"""

from __future__ import annotations

import functools
import os
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.browser import headless
from wsgi_core.commands.learn.command import step_source
from wsgi_core.commands.learn.solutions import solved

pytestmark = pytest.mark.long
HELLO = """\
from wsgi_core import App, request

app = App(__name__)


@app.before_request
def look():
    print("asked for", request.path)


@app.get("/<name>")
def hello(name):
    return {"hello": name}
"""
# Much longer than the steps take, because the machine may be busy. Speed is measured elsewhere.
SECONDS = 90


class Quiet(SimpleHTTPRequestHandler):
    """A file server that logs nothing."""

    def log_message(self, *args: object) -> None:
        """Log nothing."""


class Page:
    """The playground in a browser window."""

    def __init__(self, driver: webdriver.Chrome, site: Path) -> None:
        self.driver = driver
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
        self.address = f"http://127.0.0.1:{self.server.server_port}/playground.html"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop_server(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def open(self, fragment: str = "") -> None:
        self.driver.get("about:blank")
        self.driver.get(self.address + fragment)
        self.until(lambda: self.driver.find_elements(By.ID, "program"))

    def until(self, holds: Any) -> Any:
        return WebDriverWait(self.driver, SECONDS, 0.05).until(lambda driver: holds())

    def find(self, name: str) -> Any:
        return self.driver.find_element(By.ID, name)

    @property
    def state(self) -> str:
        return str(self.find("result").get_attribute("data-state"))

    @property
    def program(self) -> str:
        return str(self.driver.execute_script("return document.getElementById('program').value"))

    def fill(self, program: str, request: str) -> None:
        self.driver.execute_script("document.getElementById('program').value = arguments[0]", program)
        self.find("request").clear()
        self.find("request").send_keys(request)

    def run(self, *states: str) -> str:
        """Press Run, wait for one of the states, and return the text of the result."""
        self.find("run").click()
        assert self.state in ("loading", "running", *states)
        return self.wait(*states)

    def wait(self, *states: str) -> str:
        self.until(lambda: self.state in (states or ("done", "error")))
        return str(self.driver.execute_script("return document.getElementById('result').textContent"))

    def events(self) -> list[list[str]]:
        """Return the rows of the list of events, with a text for each side."""
        rows: list[list[str]] = self.driver.execute_script(
            "return [...document.querySelectorAll('#events tbody tr')]"
            ".map(row => [...row.querySelectorAll('td span')].map(cell => cell.textContent))"
        )
        return rows

    def check_width(self) -> None:
        wide, window = self.driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= window


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "PLAYGROUND_SITE" in os.environ:
        return Path(os.environ["PLAYGROUND_SITE"])
    if shutil.which("npm") is None:
        pytest.skip("no npm here: the playground takes Pyodide and CodeMirror from it")
    from .__main__ import build

    folder = tmp_path_factory.mktemp("site")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def page(site: Path) -> Iterator[Page]:
    with headless() as driver:
        made = Page(driver, site)
        made.open()
        yield made
        made.stop_server()


def test_the_first_run_shows_both_sides(page: Page) -> None:
    page.fill(HELLO, "GET /Ada")
    text = page.run("done")
    assert "flask 3.1.3 and wsgi_core" in text
    assert "asked for /Ada" in text
    assert "HTTP/1.1 200 OK" in text
    top, height = page.driver.execute_script(
        "return [document.getElementById('status').getBoundingClientRect().top, innerHeight]"
    )
    assert 0 <= top < height
    assert ["before_request: look"] * 2 in page.events()
    page.driver.switch_to.frame(page.find("steps-frame"))
    page.until(lambda: page.driver.find_elements(By.CSS_SELECTOR, ".step.now"))
    assert "request received" in page.driver.find_element(By.CSS_SELECTOR, ".step.now h2").text
    page.driver.find_element(By.CSS_SELECTOR, "[data-go=forward]").click()
    now = page.driver.find_element(By.CSS_SELECTOR, ".step.now")
    assert "app context pushed" in now.find_element(By.TAG_NAME, "h2").text
    (link,) = now.find_elements(By.CSS_SELECTOR, ".explanation a")
    assert link.get_attribute("href").startswith(page.address.removesuffix("playground.html") + "course/")
    page.driver.switch_to.default_content()


def test_a_later_run_is_quick_and_the_keys_start_it(page: Page) -> None:
    page.fill(HELLO, "GET /Grace")
    began = time.monotonic()
    page.find("request").send_keys(Keys.CONTROL, Keys.ENTER)
    assert '"hello":"Grace"' in page.wait()
    assert time.monotonic() - began < 10


def test_what_is_typed_into_the_editor_runs(page: Page) -> None:
    page.fill(HELLO, "GET /Ada")
    editor = page.find("program")
    editor.send_keys(Keys.CONTROL, Keys.END)
    editor.send_keys("\nprint('typed')")
    assert "print('typed')" in page.program
    ActionChains(page.driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    assert "typed" in page.wait("done")


@pytest.mark.parametrize(
    ("end", "state", "said"),
    [
        ("x = (", "error", "Line 14: SyntaxError: '(' was never closed"),
        ("nothing()", "error", "Line 14: NameError: name 'nothing' is not defined"),
        ("app.before_request(lambda: 1 / 0)", "done", "Line 14: ZeroDivisionError: division by zero"),
    ],
)
def test_a_broken_program_has_its_line_marked(end: str, state: str, said: str, page: Page) -> None:
    page.fill(HELLO + end, "GET /Ada")
    assert said in page.run(state)
    assert page.driver.find_element(By.CSS_SELECTOR, "#program .failed").text == end


def test_a_request_that_is_none_is_explained(page: Page) -> None:
    page.fill(HELLO, "GET")
    assert "Request: 'GET' is not a request line" in page.run("error")


@pytest.mark.parametrize(
    ("loop", "said"),
    [
        ("while True: pass", "did not end within 5 seconds"),
        ("import itertools; sum(itertools.repeat(0))", "did not end within 10 seconds"),
    ],
)
def test_an_endless_loop_is_ended_and_the_next_run_works(loop: str, said: str, page: Page) -> None:
    page.fill(HELLO + loop, "GET /Ada")
    assert said in page.run("error")
    page.fill(HELLO, "GET /Ada")
    assert '"hello":"Ada"' in page.run("done")


def test_an_exercise_is_checked(page: Page) -> None:
    Select(page.find("example")).select_by_value(step_source(0).stem)
    first = page.driver.find_element(By.CSS_SELECTOR, ".exercise")
    first.find_element(By.TAG_NAME, "button").click()
    page.until(lambda: "The request: curl" in first.text)
    assert "Hint: " in first.text
    text = solved("0a", step_source(0).read_text(encoding="utf-8"))
    page.driver.execute_script("document.getElementById('program').value = arguments[0]", text)
    first.find_element(By.TAG_NAME, "button").click()
    page.until(lambda: "Solved." in first.text)


def test_a_link_carries_the_program(page: Page) -> None:
    page.fill(HELLO + "# ä ☃", "GET /Linked\nX-A: 1")
    page.run("done")
    fragment = page.driver.execute_script("return location.hash")
    page.open(fragment)
    assert page.program == HELLO + "# ä ☃"
    assert page.find("request").get_attribute("value") == "GET /Linked\nX-A: 1"
    assert page.state in ("loading", "ready")  # a program from a link does not run until the reader starts it


@pytest.mark.parametrize("fragment", ["#program=AAAA", "#example=nothing", "#x"])
def test_a_damaged_link_leads_to_the_first_example(fragment: str, page: Page) -> None:
    page.open(fragment)
    assert "def hello" in page.program


def test_at_a_phones_width_nothing_is_wider(page: Page) -> None:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.open()
    page.check_width()
    page.run("done")
    page.check_width()
    page.driver.switch_to.frame(page.find("steps-frame"))
    page.check_width()
    page.driver.switch_to.default_content()
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_without_a_network_it_loads_and_runs(page: Page) -> None:
    page.open()
    page.run("done")
    page.until(lambda: page.driver.execute_async_script(
        "const [tell] = arguments; navigator.serviceWorker.ready.then(() => navigator.serviceWorker.getRegistration())"
        ".then(found => tell(found?.active?.state === 'activated'))"
    ))  # fmt: skip
    page.stop_server()
    page.open()
    page.fill(HELLO, "GET /Offline")
    assert '"hello":"Offline"' in page.run("done")
