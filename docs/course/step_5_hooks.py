"""Step 5: what every request needs, said once: functions before the view, after it, and at the end."""

import json
import logging
import time
from contextvars import ContextVar

from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy
from werkzeug.routing import Map, Rule
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

_current = ContextVar("context")
request = LocalProxy(_current, "request", unbound_message="Working outside of request context.")
g = LocalProxy(_current, "g", unbound_message="Working outside of request context.")


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
        try:
            for func in reversed(self.app.teardown_request_funcs):  # in any case, also after an error
                func(exc)
        finally:
            _current.reset(self.token)


class App:
    def __init__(self):
        self.url_map, self.view_functions = Map(), {}
        self.before_request_funcs, self.after_request_funcs, self.teardown_request_funcs = [], [], []

    def route(self, rule, methods=("GET",)):
        def decorator(view):
            self.url_map.add(Rule(rule, endpoint=view.__name__, methods=methods))
            self.view_functions[view.__name__] = view
            return view

        return decorator

    def dispatch_request(self):
        for func in self.before_request_funcs:
            value = func()
            if value is not None:  # a hook that answers: the view is not asked
                return value
        endpoint, arguments = _current.get().adapter.match()
        return self.view_functions[endpoint](**arguments)

    def finalize_request(self, value):
        response = value if isinstance(value, Response) else Response(json.dumps(value), mimetype="application/json")
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
app.before_request_funcs.append(lambda: setattr(g, "start", time.perf_counter()))
app.teardown_request_funcs.append(lambda exc: logging.info("%s %s %s", request.method, request.path, exc))


@app.after_request_funcs.append
def stamp(response):
    response.headers["X-Response-Time-ms"] = f"{(time.perf_counter() - g.start) * 1000:.3f}"
    return response


@app.route("/sum", methods=["POST"])
def add_up():
    return {"sum": sum(request.get_json())}


@app.route("/square/<int:number>")
def square(number):
    return {"square": number * number}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    run_simple("127.0.0.1", 5000, app, threaded=True)
