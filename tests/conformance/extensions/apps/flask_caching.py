"""Flask-Caching: views cached by path and by query, a memoized function, a cached template fragment, deletion."""

from __future__ import annotations

from itertools import count

from flask import Flask, render_template_string, request
from flask_caching import Cache

from ..visitor import Visitor


def create_app() -> Flask:
    app = Flask(__name__)
    cache = Cache(config={"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 600})
    cache.init_app(app)
    numbers = count(1)

    @app.route("/view/<name>")
    @cache.cached()
    def view(name: str) -> tuple[str, int, dict[str, str]]:
        return f"{name} {next(numbers)}", 201, {"X-Made": "once"}

    @app.route("/query")
    @cache.cached(query_string=True, unless=lambda: "fresh" in request.args)
    def query() -> str:
        return f"{next(numbers)}"

    @app.route("/hashed")
    @cache.cached(response_hit_indication=True)
    def hashed() -> str:
        return f"{next(numbers)}"

    @cache.memoize()
    def power(base: int, exponent: int) -> str:
        return f"{base**exponent}, worked out as number {next(numbers)}"

    @app.route("/power/<int:base>/<int:exponent>")
    def powers(base: int, exponent: int) -> str:
        return power(base, exponent)

    @app.route("/piece")
    def piece() -> str:
        return render_template_string("{% cache 600, 'piece' %}{{ n }}{% endcache %} of {{ n }}", n=next(numbers))

    @app.route("/forget")
    def forget() -> str:
        cache.delete_memoized(power, 2, 3)
        return str(cache.delete("view//view/a"))

    return app


def visit(send: Visitor) -> None:
    for path in ("/view/a", "/view/b", "/view/a"):
        send(f"GET {path}", 201)
    for path in ("/query?a=1&b=2", "/query?b=2&a=1", "/query?a=2", "/query?a=2&fresh", "/hashed", "/hashed", "/piece"):
        send(f"GET {path}", 200)
    for path in ("/power/2/3", "/power/2/4", "/power/2/3", "/forget", "/power/2/3", "/power/2/4", "/piece"):
        send(f"GET {path}", 200)
    send("GET /view/a", 201)
