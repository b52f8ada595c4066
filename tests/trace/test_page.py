"""The page as text: its contents are complete and escaped, and it loads no other file.

The page in a browser, as wide as a desktop and as a phone: steps forward and back, by key, by button and by touch.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.conformance.golden_apps import CASES, FRAMEWORKS, new_app, record
from wsgi_core.trace import Event, Trace, compare, compare_answers, trace
from wsgi_core.trace.page import render_page
from wsgi_core.trace.terminal import single_trace_rows

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
SIZES = {"desk": (1280, 900), "phone": (390, 844)}


def page_of(case: str) -> str:
    left, right = (record(CASES[case].build, CASES[case].drive, fw, name, True) for name, fw in FRAMEWORKS.items())
    return render_page(compare(left.events, right.events), left, right, case)


def step(page: str, number: int) -> str:
    """Return the text of one step."""
    found = re.search(rf'<li id="step-{number}".*?(?=<li id="step-|<section id="sources")', page, re.DOTALL)
    assert found is not None
    return text(found[0])


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.fixture(scope="module")
def ok() -> str:
    return page_of("ok")


class Elements(HTMLParser):
    """A parser that collects the elements of a page and their ids, and checks that each opened element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.names: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.names.append(tag)
        if tag not in ("meta", "input"):
            self.opened.append(tag)
        self.ids += [known["id"] or ""] if "id" in known else []
        self.links += [known["href"] or ""] if "href" in known else []

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


def test_the_page_is_sound(ok: str) -> None:
    page = Elements(ok)
    assert page.opened == []
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_the_page_needs_nothing_beside_it(ok: str) -> None:
    assert not re.search(r"""\bsrc=|href="[^#]|url\(|@import|https?://""", ok)
    (script,) = re.findall(r"<script>(.*?)</script>", ok, re.DOTALL)
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in ok
    assert "default-src 'none'" in ok


def test_every_event_is_a_step_with_its_state(ok: str) -> None:
    number = 1 + next(i for i, line in enumerate(re.findall(r"<h2.*?</h2>", ok)) if "view</b> item" in line)
    said = step(ok, number)
    assert "view item" in said
    assert "request context GET /items/7" in said
    assert "view_args {'number': 7}" in said
    assert "before_request before done" in said
    assert "view item now" in said
    assert "after_request after to come" in said
    assert "path flask '/items/7'" in said  # the core has not read the path yet
    assert re.search(r"Flask\.dispatch_request → item flask/app\.py:\d+", said)
    assert re.search(r"App\.dispatch_request → item wsgi_core/app\.py:\d+", said)


def test_the_code_of_both_sides_is_there_once(ok: str) -> None:
    captions = re.findall(r"<figcaption>([^<]+, [^<]+)</figcaption>", ok)
    assert len(captions) == len(set(captions))
    assert {"flask/app.py, Flask.dispatch_request", "wsgi_core/app.py, App.dispatch_request"} <= set(captions)
    assert "rv = self.preprocess_request()" in text(ok)


def test_what_has_changed_is_marked(ok: str) -> None:
    number = 1 + next(i for i, line in enumerate(re.findall(r"<h2.*?</h2>", ok)) if "response made" in line)
    (html,) = re.findall(rf'<li id="step-{number}".*?(?=<li id="step-{number + 1}")', ok, re.DOTALL)
    fresh = text(" ".join(re.findall(r'<div class="\w+ fresh">.*?</div>', html)))
    assert "status 200 OK" in fresh
    assert "method" not in fresh


def test_differences_are_marked() -> None:
    def build(fw: Any, hook: str) -> Any:
        app = new_app(fw)

        def before() -> None:
            fw.g.who = hook

        before.__name__ = hook
        app.before_request(before)
        app.add_url_rule("/", "index", lambda: hook)
        return app

    left = trace(build(FRAMEWORKS["flask"], "one"), "/", snapshots=True, label="flask")
    right = trace(build(FRAMEWORKS["wsgi_core"], "two"), "/", snapshots=True, label="wsgi_core")
    page = render_page([*compare(left.events, right.events), *compare_answers(left, right)], left, right)
    assert "different: 2 of" in page
    assert page.count('class="step hook different"') == 1
    assert 'data-go="difference"' in page
    assert "who flask 'one' wsgi_core 'two'" in text(page)
    assert "the app's functions, wsgi_core" in text(page)
    assert Elements(page).opened == []


def test_hostile_values_stay_text() -> None:
    app = new_app(FRAMEWORKS["wsgi_core"])

    @app.get("/<name>")
    def index(name: str) -> Any:
        fw = FRAMEWORKS["wsgi_core"]
        fw.g.header = fw.request.headers["X-Evil"]
        fw.g.html = {HOSTILE: [HOSTILE]}
        fw.session[HOSTILE] = HOSTILE
        return HOSTILE, {"X-Back": HOSTILE}

    index.__name__ = HOSTILE
    seen = trace(app, f"/{HOSTILE}".replace("/script", ""), headers={"X-Evil": HOSTILE}, snapshots=True, label=HOSTILE)
    page = render_page(single_trace_rows(seen.events), seen, None, HOSTILE, HOSTILE)
    parsed = Elements(page)
    assert parsed.names.count("script") == 1
    assert "img" not in parsed.names
    assert parsed.opened == []
    assert "X-Back &lt;/script&gt;" in page.replace("</dt><dd>", " ")


def test_secrets_are_not_on_the_page() -> None:
    app = new_app(FRAMEWORKS["flask"])
    app.secret_key = "top-hidden-1"

    @app.post("/")
    def index() -> Any:
        fw = FRAMEWORKS["flask"]
        _ = fw.request.cookies, fw.request.authorization, fw.request.url, fw.request.get_json()
        fw.session["csrf_token"] = "hidden-2"
        fw.g.password = "hidden" + "-3"
        return {"token": "hidden-4"}, {"Set-Cookie": "id=hidden-5; Path=/"}

    headers = {"Authorization": "Bearer hidden-6", "Cookie": "a=hidden-7", "X-Api-Key": "hidden-8"}
    body = {"password": "hidden-9", "n": 1}
    seen = trace(app, "/?access_token=hidden-10", method="POST", json=body, headers=headers, snapshots=True)
    other = Trace("other", [], "", [("Set-Cookie", "id=hidden-11")])
    page = render_page([*compare(seen.events, []), *compare_answers(seen, other)], seen, other)
    # In the function's source, literals that are assigned to the name of a secret are replaced by dots.
    assert re.findall(r"hidden-\d+", text(page)) == []
    assert "not shown" in page


def test_without_snapshots_the_page_is_a_timeline() -> None:
    seen = trace(new_app(FRAMEWORKS["flask"]), "/")
    page = render_page(single_trace_rows(seen.events), seen, None, times=True)
    assert "<title>GET /: trace</title>" in page
    assert page.count('class="track"') == len(seen.events)
    assert "context stack" not in page
    assert Elements(page).opened == []


def test_an_empty_trace_is_a_page_too() -> None:
    assert "0 / 0" not in render_page([], Trace("a", []), None)


# In a browser


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Event]]:
    """The URL of the page, and the events on it."""
    case = CASES["before_request_answers"]
    left, right = (record(case.build, case.drive, fw, name, True) for name, fw in FRAMEWORKS.items())
    file: Path = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(render_page(compare(left.events, right.events), left, right), encoding="utf-8")
    return file.as_uri(), left.events


class Page:
    """The page in a browser window."""

    def __init__(self, driver: webdriver.Chrome, address: str, events: list[Event]) -> None:
        self.driver = driver
        self.events = events
        driver.get(address)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, key: str) -> None:
        self.find("body").send_keys(key)

    def click(self, name: str) -> None:
        self.find(f"[data-go={name}]").click()

    def click_in_the_middle(self, selector: str) -> None:
        """Click an element in the middle of the window, where the player does not cover it."""
        element = self.find(selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def seen(self) -> int:
        """Return the number of the only visible step. Check that player, list and URL have the same number."""
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
        """Check that no error was logged, and that the page is not wider than the window."""
        assert [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        wide, window = self.driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= window


@pytest.fixture(params=["desk", pytest.param("phone", marks=pytest.mark.long)])
def page(request: pytest.FixtureRequest, browser: webdriver.Chrome, written: tuple[str, list[Event]]) -> Page:
    width, height = SIZES[request.param]
    is_phone = request.param == "phone"
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": is_phone})
    return Page(browser, *written)


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
    assert page.seen() == 2  # only one step, although the page handles the key, too
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
    page.click_in_the_middle(".step.now .crumbs a[title*='app.py']")
    shown = page.find(".step.now .pane .current").text
    assert "self.wsgi_app(environ, start_response)" in shown
    page.seen()


def test_an_event_of_the_list_leads_to_its_step(page: Page) -> None:
    details = page.find("nav details")
    if not details.get_attribute("open"):  # collapsed if there is no space beside the step
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
