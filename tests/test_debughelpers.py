"""In debug mode, two errors have explanations, on both frameworks in the same cases."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.routing import RequestRedirect

from tests.conftest import checked_client


@pytest.fixture
def app(web: Any) -> Any:
    made = web.app()
    made.debug = made.testing = True
    made.add_url_rule("/form/", "form", lambda: "form", methods=["POST"])
    made.add_url_rule("/upload", "upload", lambda: web.request.files["photo"].filename, methods=["POST"])
    return made


def test_a_redirect_that_would_lose_a_form_is_an_error(app: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(RequestRedirect, "code", 301)  # a code after which browsers send a GET
    with pytest.raises(AssertionError, match="http://localhost/form/"):
        app.test_client().post("/form", data={"a": "1"})


def test_a_redirect_that_keeps_the_form_is_sent(app: Any):
    assert checked_client(app).post("/form", data={"a": "1"}).status_code == 308


def test_an_upload_from_a_form_without_the_encoding_says_so(app: Any):
    with pytest.raises(KeyError, match="multipart/form-data") as caught:
        app.test_client().post("/upload", data={"photo": "cat.png"})
    assert "cat.png" in str(caught.value)
    assert "application/x-www-form-urlencoded" in str(caught.value)


def test_a_form_without_the_field_is_a_plain_key_error(app: Any):
    app.testing = app.debug = True
    response = app.test_client()
    with pytest.raises(Exception, match="photo") as caught:
        response.post("/upload", data={"other": "1"})
    assert "multipart" not in str(caught.value)
