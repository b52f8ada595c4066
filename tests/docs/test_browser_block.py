"""The JavaScript of the page about clients runs in a browser, on a page of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs.blocks import ROOT, blocks
from tests.processes import Server

if TYPE_CHECKING:
    from selenium import webdriver

# Runs the block with its own console.log, and returns what the block prints.
RUN = """
const done = arguments[0];
const console = { log: done };
(async () => { %s })().catch(error => done(String(error)));
"""


def test_the_service_answers_a_page(browser: webdriver.Chrome, servers: dict[str, Server]):
    (block,) = (each for each in blocks(ROOT / "docs" / "deploy" / "clients.md") if each.language == "js")
    address = "{}:{}".format(*servers["wsgi_core"].address)
    browser.get(f"http://{address}/healthz")
    said = browser.execute_async_script(RUN % block.text.replace("127.0.0.1:8080", address))
    assert said == "positive"
