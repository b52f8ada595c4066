"""Step 4: every function can use `request`, because a context variable holds it."""

import json
from contextvars import ContextVar

from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy
from werkzeug.routing import Map, Rule
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

_current = ContextVar("context")
# Proxies: in each thread and each task, they stand for another object.
_OUTSIDE = "Working outside of request context."
request = LocalProxy(_current, "request", unbound_message=_OUTSIDE)
g = LocalProxy(_current, "g", unbound_message=_OUTSIDE)


class Namespace:
    """The class of `g`. Its attributes belong to one request."""


class Context:
    """The state of one request. It is current inside its ``with`` block."""

    def __init__(self, app, environ):
        self.app, self.g = app, Namespace()
        self.request = Request(environ)
        self.adapter = app.url_map.bind_to_environ(environ)

    def __enter__(self):
        self.token = _current.set(self)
        return self

    def __exit__(self, *exc_info):
        _current.reset(self.token)


class App:
    def __init__(self):
        self.url_map = Map()
        self.view_functions = {}

    def route(self, rule, methods=("GET",)):
        def decorator(view):
            self.url_map.add(Rule(rule, endpoint=view.__name__, methods=methods))
            self.view_functions[view.__name__] = view
            return view

        return decorator

    def dispatch_request(self):
        endpoint, arguments = _current.get().adapter.match()
        value = self.view_functions[endpoint](**arguments)
        return Response(json.dumps(value), mimetype="application/json")

    def __call__(self, environ, start_response):
        with Context(self, environ):
            try:
                response = self.dispatch_request()
            except HTTPException as error:
                response = error.get_response(environ)
            return response(environ, start_response)


app = application = App()


@app.route("/sum", methods=["POST"])
def add_up():
    g.numbers = request.get_json()
    return {"sum": total()}


def total():
    """Use `g`, which the view does not pass as an argument."""
    return sum(g.numbers)


@app.route("/square/<int:number>")
def square(number):
    return {"square": number * number}


if __name__ == "__main__":
    run_simple("127.0.0.1", 8000, app, threaded=True)
