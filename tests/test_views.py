"""Views as classes: instances, methods, decorators."""

from __future__ import annotations

from typing import Any

import flask.views
import pytest

import wsgi_core.views
from tests.conftest import CORE

BOTH = {True: wsgi_core.views, False: flask.views}


@pytest.fixture
def views(web: Any) -> Any:
    return BOTH[web is CORE]


def test_a_view_is_made_for_each_request_unless_told_not_to(app: Any, views: Any):
    made: list[Any] = []

    class Counting(views.View):  # type: ignore[misc, name-defined]
        def __init__(self, label: str) -> None:
            made.append(label)

        def dispatch_request(self, **values: Any) -> str:
            return f"{made[-1]} {values}"

    class Once(Counting):
        init_every_request = False

    app.add_url_rule("/each/<int:n>", view_func=Counting.as_view("each", label="E"))
    app.add_url_rule("/once", view_func=Once.as_view("once", "O"))
    assert made == ["O"]
    client = app.test_client()
    assert client.get("/each/1").text == "E {'n': 1}"
    client.get("/once")
    client.get("/once")
    assert made == ["O", "E"]


def test_methods_of_a_method_view_are_those_it_has(app: Any, views: Any):
    class Things(views.MethodView):  # type: ignore[misc, name-defined]
        def get(self) -> str:
            return "got"

        def post(self) -> str:
            return "posted"

    class More(Things):
        def delete(self) -> str:
            return "deleted"

    class Fewer(More):
        methods = ["PUT"]

        def put(self) -> str:
            return "put"

    for name, view in (("things", Things), ("more", More), ("fewer", Fewer)):
        app.add_url_rule(f"/{name}", view_func=view.as_view(name))
    client = app.test_client()
    assert (client.get("/things").text, client.post("/things").text) == ("got", "posted")
    assert client.head("/things").data == b""
    assert client.delete("/things").status_code == 405
    assert sorted(client.options("/more").allow) == ["DELETE", "GET", "HEAD", "OPTIONS", "POST"]
    assert sorted(client.options("/fewer").allow) == ["OPTIONS", "PUT"]


def test_decorators_go_around_from_the_first(app: Any, views: Any):
    def around(mark: str) -> Any:
        return lambda view: lambda **values: f"{mark}{view(**values)}{mark}"

    class Index(views.View):  # type: ignore[misc, name-defined]
        """A view class that returns ``x``."""

        decorators = [around("1"), around("2")]

        def dispatch_request(self) -> str:
            return "x"

    view = Index.as_view("index")
    app.add_url_rule("/", view_func=view)
    assert app.test_client().get("/").text == "21x12"
    assert (view.__name__, view.__doc__, view.view_class) == ("index", "A view class that returns ``x``.", Index)


def test_a_view_without_dispatch_request_is_not_implemented(views: Any):
    with pytest.raises(NotImplementedError):
        views.View().dispatch_request()


def test_options_can_be_the_views_business(app: Any, views: Any):
    class Index(views.MethodView):  # type: ignore[misc, name-defined]
        provide_automatic_options = False

        def get(self) -> str:
            return ""

    app.add_url_rule("/", view_func=Index.as_view("index"))
    assert app.test_client().options("/").status_code == 405


def test_a_method_that_is_not_there_is_told(app: Any, views: Any):
    class Index(views.MethodView):  # type: ignore[misc, name-defined]
        methods = ["GET", "TRACE"]

        def get(self) -> str:
            return ""

    app.testing = True
    app.add_url_rule("/", view_func=Index.as_view("index"))
    with pytest.raises(AssertionError, match="Unimplemented method 'TRACE'"):
        app.test_client().trace("/")


def test_async_methods_run(app: Any, views: Any):
    class Index(views.MethodView):  # type: ignore[misc, name-defined]
        async def get(self) -> str:
            return "async"

    app.add_url_rule("/", view_func=Index.as_view("index"))
    assert app.test_client().get("/").text == "async"
