"""Folders and files of an app: where they stand, how they are opened and sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import checked_client


def test_static_files_are_served(web: Any, tmp_path: Any):
    (tmp_path / "style.css").write_text("a {}", encoding="utf-8")
    app = web.App("tests", static_folder=tmp_path, static_url_path="/files")
    client = checked_client(app)
    with client.get("/files/style.css") as response:
        assert response.text == "a {}"
        assert response.mimetype == "text/css"
    for path in ("/files/none.css", "/files/../secret", "/files/%2e%2e/secret", "/files/"):
        assert client.get(path).status_code == 404


def test_a_static_host_goes_with_host_matching(web: Any):
    with pytest.raises(AssertionError, match="static_host"):
        web.App("tests", host_matching=True)
    web.App("tests", host_matching=True, static_host="a.example")


def test_resources_are_opened_for_reading_alone(web: Any, tmp_path: Any):
    (tmp_path / "a.txt").write_text("é", encoding="utf-8")
    app = web.App("tests", root_path=str(tmp_path), instance_path=str(tmp_path))
    with app.open_resource("a.txt") as file:
        assert file.read() == "é".encode()
    with app.open_resource("a.txt", "r") as file:
        assert file.read() == "é"
    with app.open_instance_resource("a.txt", "r") as file:
        assert file.read() == "é"
    with pytest.raises(ValueError, match="reading"):
        app.open_resource("a.txt", "w")


def test_folders_stand_below_the_root_path(web: Any, tmp_path: Path):
    app = web.App("tests", root_path=str(tmp_path), static_folder="s", template_folder="t")
    assert Path(app.static_folder) == tmp_path / "s"
    assert app.static_url_path == "/s"
    assert app.has_static_folder
    assert [Path(folder) for folder in app.jinja_loader.searchpath] == [tmp_path / "t"]
    assert web.App("tests", template_folder=None).jinja_loader is None
    assert not web.app().has_static_folder


def test_a_static_file_needs_a_folder(web: Any):
    app = web.app()
    with app.test_request_context(), pytest.raises(RuntimeError, match="static_folder"):
        app.send_static_file("a.css")


def test_files_may_be_cached_as_the_configuration_says(web: Any):
    app = web.app()
    with app.app_context():
        assert app.get_send_file_max_age("a") is None
        app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 60
        assert app.get_send_file_max_age("a") == 60
