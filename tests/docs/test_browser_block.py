"""The JavaScript of the page on clients runs in a browser, on a page of the service."""

from __future__ import annotations

import os

import pytest
from selenium import webdriver

from tests.api.test_demo_browser import BROWSERS, DRIVERS, installed
from tests.docs.blocks import ROOT, blocks
from tests.processes import Server

# What the block prints is returned, and "console.log" is this function's.
RUN = """
const done = arguments[0];
const console = { log: done };
(async () => { %s })().catch(error => done(String(error)));
"""


def test_the_service_answers_a_page():
    (block,) = (each for each in blocks(ROOT / "docs" / "deploy" / "clients.md") if each.language == "js")
    program, control = installed(BROWSERS), installed(DRIVERS)
    if program is None or control is None:
        pytest.skip("no Chromium with its driver here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.add_argument("--headless=new")
    if getattr(os, "geteuid", lambda: 1)() == 0:
        options.add_argument("--no-sandbox")  # which root cannot have
    with Server("-m", "wsgi_core", "serve", "--port", "0") as server:
        address = "{}:{}".format(*server.ready().address)
        service = webdriver.ChromeService(executable_path=control)
        with webdriver.Chrome(options=options, service=service) as browser:
            browser.get(f"http://{address}/healthz")
            said = browser.execute_async_script(RUN % block.text.replace("127.0.0.1:8080", address))
    assert said == "positive"
