"""The demo pages show the running service and load nothing from other sites, on each framework."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import flask_equiv.service
from tests.drawings import DRAWN, ONE, SCRIBBLE, ZERO
from tests.processes import Server
from wsgi_core import service
from wsgi_core.inference import default_models_dir

if TYPE_CHECKING:
    from selenium import webdriver

    from tests.service.views.browser_page import Page

# The size of the canvas, its size on the screen in pixels, and the numbers of its grey and black pixels.
PEN = """
const pad = document.getElementById("pad"), box = pad.getBoundingClientRect();
const { data } = pad.getContext("2d").getImageData(0, 0, pad.width, pad.height);
let grey = 0, ink = 0;
for (let dot = 0; dot < data.length; dot += 4) data[dot] < 40 ? ink++ : data[dot] < 250 && grey++;
return [pad.width, Math.round(box.width * devicePixelRatio), grey, ink];
"""
PAGES = ["/", "/demo/digits", "/demo/sentiment", "/demo/churn"]


@pytest.fixture(params=["wsgi_core", "flask"])
def client(request: pytest.FixtureRequest, services: dict[str, Any]) -> Any:
    return services[request.param].test_client()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_its_own_files_alone(client: Any, path: str):
    page = client.get(path)
    assert page.mimetype == "text/html"
    assert page.headers["Content-Security-Policy"] == "default-src 'self'; frame-ancestors 'none'"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert 'name="viewport"' in page.text
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert named
    assert all(address.startswith("/") and not address.startswith("//") for address in named)
    for address in named:
        response = client.get(address)
        assert response.status_code == 200, address
        response.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_finds_its_files_where_the_app_is_mounted(client: Any, path: str):
    text = client.get(path, base_url="http://localhost/app").text
    assert all(address.startswith("/app/") for address in re.findall(r'(?:src|href|data-address)="([^"]+)"', text))


def test_the_start_page_lists_models_and_routes_under_their_headings(client: Any):
    text = client.get("/").text
    headings = ("Predictions", "Open Inference Protocol", "Operation", "Pages")
    places = [text.index(f"<h3>{heading}</h3>") for heading in headings]
    assert places == sorted(places)
    for said in (
        "churn/1",
        "/v2/models/churn/versions/1",
        "/v2/models/&lt;name&gt;/infer",
        "/metrics",
        "/docs",
        "/demo/digits",
    ):
        assert said in text


def test_the_churn_page_has_an_input_for_each_feature(client: Any):
    model = client.application.extensions["models"].get("churn")
    text = client.get("/demo/churn").text
    for feature in model.card.features:
        assert f'name="{feature.name}"' in text
        assert feature.description in text


def test_a_drawing_is_recognised(client: Any):
    response = client.post("/digits", json={"drawing": ONE})
    assert response.status_code == 200
    assert response.json["digit"] == 1


@pytest.mark.parametrize(
    ("payload", "status"), [({}, 400), ([], 400), ({"drawing": 1}, 422), ({"drawing": [[0]]}, 422)]
)
def test_what_is_no_drawing_is_refused(client: Any, payload: Any, status: int):
    response = client.post("/digits", json=payload)
    assert response.status_code == status
    assert response.json["error"]


@pytest.mark.parametrize("create_app", [service.create_app, flask_equiv.service.create_app], ids=["wsgi_core", "flask"])
def test_without_a_model_its_demo_is_not_there(create_app: Any, tmp_path: Path):
    shutil.copytree(default_models_dir() / "identity", tmp_path / "identity")
    client = create_app(tmp_path).test_client()
    for path in PAGES[1:]:
        assert client.get(path).status_code == 404
    assert client.post("/digits", json={"drawing": ONE}).status_code == 404
    text = client.get("/").text
    assert "identity/1" in text
    assert "<strong>Draw a digit" not in text
    assert client.get("/openapi.json").status_code == 200


@pytest.mark.parametrize("create_app", [service.create_app, flask_equiv.service.create_app], ids=["wsgi_core", "flask"])
def test_no_page_leads_to_a_demo_that_is_not_there(create_app: Any, tmp_path: Path):
    shutil.copytree(default_models_dir() / "churn", tmp_path / "churn")
    client = create_app(tmp_path).test_client()
    for path in ("/demo/churn", "/docs"):
        assert re.findall(r'href="/demo/(\w+)"', client.get(path).text) == ["churn"]


@pytest.mark.parametrize("create_app", [service.create_app, flask_equiv.service.create_app], ids=["wsgi_core", "flask"])
def test_a_model_of_another_kind_has_no_demo(create_app: Any, tmp_path: Path):
    for name in ("digits", "sentiment", "churn"):
        shutil.copytree(default_models_dir() / "identity" / "1", tmp_path / name / "1")
    client = create_app(tmp_path).test_client()
    for path in PAGES[1:]:
        assert client.get(path).status_code == 404
    assert client.post("/digits", json={"drawing": ONE}).status_code == 400
    for path in ("/", "/openapi.json"):
        assert client.get(path).status_code == 200


# In a browser, with touch on a phone and with a mouse on a desktop: draw, upload, type, move, and read the result.


@pytest.fixture(params=["desk", pytest.param("phone", marks=pytest.mark.long)])
def page(request: pytest.FixtureRequest, browser: webdriver.Chrome, servers: dict[str, Server]) -> Page:
    """wsgi_core on a desktop, and Flask on a phone in dark mode."""
    from tests.service.views.browser_page import Page

    is_phone = request.param == "phone"
    width, height = (390, 844) if is_phone else (1200, 900)
    server = servers["flask" if is_phone else "wsgi_core"]
    page = Page(browser, f"http://{server.host}:{server.port}", is_phone)
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
    assert rows[-2].startswith("The service, total")
    assert rows[-1].startswith("With network, server and browser")
    assert any(row.startswith("Run the model") for row in rows)


def test_clearly_drawn_digits_are_recognised(page: Page):
    page.open("/demo/digits")
    for digit, strokes in DRAWN:
        for stroke in strokes:
            page.stroke([(0.25 + 0.5 * x, 0.15 + 0.7 * y) for x, y in stroke])
        page.wait_until(lambda _, drawn=digit: page.find("#digit").text == str(drawn))
        assert page.find("#scores .best th").text == str(digit)
        page.find("#clear").click()
        assert page.find("#digit").text == "?"
    assert_times_are_shown(page)
    page.check()


def test_the_pen_is_as_sharp_as_the_screen_and_its_edges_are_smooth(page: Page):
    page.open("/demo/digits")
    page.stroke([(0.2, 0.2), (0.4, 0.5), (0.6, 0.6), (0.8, 0.8)])
    side, shown, grey, ink = page.driver.execute_script(PEN)
    assert side == shown
    assert grey > 0.02 * ink


def test_of_a_scribble_the_page_is_not_sure(page: Page):
    page.open("/demo/digits")
    page.stroke(SCRIBBLE)
    assert page.wait("#digit", other_than="?") == "not sure"
    page.check()


def test_a_picture_of_a_digit_is_recognised(page: Page, tmp_path: Path):
    from tests.service.views.browser_page import png

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
        page.wait_until(lambda _, said=sentence: said in page.find("#received").get_attribute("textContent"))
        assert page.find("#prediction").text == label
    page.find("#text").clear()
    page.find("#text").send_keys("asdf qwer zxcv")
    assert page.wait("#prediction", other_than="negative") == "can't tell"
    page.find("#text").send_keys("\ue009a", "\ue003")  # select all, and delete
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
    page.wait_until(lambda _: page.find_all(".opblock"))
    shown = [element.text for element in page.find_all(".opblock-summary-path")]
    assert "/predict" in [text.replace("\u200b", "") for text in shown]
    dark = page.driver.execute_script("return document.documentElement.classList.contains('dark-mode')")
    assert dark is page.is_phone
    page.check()
