"""Step 3: several views, each with its URL and methods. A Map finds the view."""

import json

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response


class App:
    """A WSGI application that keeps a table of its routes and views."""

    def __init__(self):
        self.url_map = Map()
        self.view_functions = {}

    def route(self, rule, methods=("GET",)):
        """Return a decorator that registers a view for ``rule``."""

        def decorator(view):
            self.url_map.add(Rule(rule, endpoint=view.__name__, methods=methods))
            self.view_functions[view.__name__] = view
            return view

        return decorator

    def dispatch_request(self, request, adapter):
        """Match the URL, call the view, and make a response from its result."""
        endpoint, arguments = adapter.match()
        value = self.view_functions[endpoint](request, **arguments)
        return Response(json.dumps(value), mimetype="application/json")

    def __call__(self, environ, start_response):
        request = Request(environ)
        try:
            adapter = self.url_map.bind_to_environ(environ)
            response = self.dispatch_request(request, adapter)
        except HTTPException as error:  # 404, 405, a redirect, or a bad body
            response = error.get_response(environ)
        return response(environ, start_response)


app = application = App()


@app.route("/sum", methods=["POST"])
def add_up(request):
    return {"sum": sum(request.get_json())}


@app.route("/square/<int:number>")
def square(request, number):
    return {"square": number * number}


if __name__ == "__main__":
    run_simple("127.0.0.1", 8000, app)
