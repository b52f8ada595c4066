"""Step 5: hooks, which are functions that run before and after every view."""

import json
import time
from contextvars import ContextVar

from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy
from werkzeug.routing import Map, Rule
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

_current = ContextVar("context")
_OUTSIDE = "Working outside of request context."
request = LocalProxy(_current, "request", unbound_message=_OUTSIDE)
g = LocalProxy(_current, "g", unbound_message=_OUTSIDE)


class Namespace: ...


class Context:
    def __init__(self, app, environ):
        self.app, self.g = app, Namespace()
        self.request = Request(environ)
        self.adapter = app.url_map.bind_to_environ(environ)

    def __enter__(self):
        self.token = _current.set(self)
        return self

    def __exit__(self, exc_type, exc, traceback):
        _current.reset(self.token)


class App:
    def __init__(self):
        self.url_map, self.view_functions = Map(), {}
        self.before_request_funcs, self.after_request_funcs = [], []

    def route(self, rule, methods=("GET",)):
        def decorator(view):
            self.url_map.add(Rule(rule, endpoint=view.__name__, methods=methods))
            self.view_functions[view.__name__] = view
            return view

        return decorator

    def before_request(self, func):
        self.before_request_funcs.append(func)
        return func

    def after_request(self, func):
        self.after_request_funcs.append(func)
        return func

    def dispatch_request(self):
        for func in self.before_request_funcs:
            value = func()
            if value is not None:  # the value is the response: skip the view
                return value
        endpoint, arguments = _current.get().adapter.match()
        return self.view_functions[endpoint](**arguments)

    def finalize_request(self, value):
        response = value
        if not isinstance(value, Response):
            response = Response(json.dumps(value), mimetype="application/json")
        for func in reversed(self.after_request_funcs):
            response = func(response)
        return response

    def __call__(self, environ, start_response):
        with Context(self, environ):
            try:
                value = self.dispatch_request()
            except HTTPException as error:
                value = error.get_response(environ)
            return self.finalize_request(value)(environ, start_response)


app = application = App()


@app.before_request
def start_clock():
    g.start = time.perf_counter()


@app.after_request
def stamp(response):
    milliseconds = (time.perf_counter() - g.start) * 1000
    response.headers["X-Response-Time-ms"] = f"{milliseconds:.3f}"
    return response


@app.route("/sum", methods=["POST"])
def add_up():
    return {"sum": sum(request.get_json())}


@app.route("/square/<int:number>")
def square(number):
    return {"square": number * number}


if __name__ == "__main__":
    run_simple("127.0.0.1", 8000, app, threaded=True)
