"""Step 6: the end of a request: error handlers, the 500 response, and teardown."""

import json
import logging

from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.serving import run_simple
from werkzeug.wrappers import Response

from step_5_hooks import App as AppWithHooks
from step_5_hooks import Context as ContextWithoutEnd
from step_5_hooks import request


class Context(ContextWithoutEnd):
    def __exit__(self, exc_type, exc, traceback):
        try:
            for func in reversed(self.app.teardown_request_funcs):
                func(exc)
        finally:
            super().__exit__(exc_type, exc, traceback)


class App(AppWithHooks):
    def __init__(self):
        super().__init__()
        self.teardown_request_funcs = []
        self.error_handlers = {}  # (code or None, class) -> handler

    def teardown_request(self, func):
        self.teardown_request_funcs.append(func)
        return func

    def errorhandler(self, code_or_class):
        key = (None, code_or_class)
        if isinstance(code_or_class, int):
            key = (code_or_class, HTTPException)

        def decorator(handler):
            self.error_handlers[key] = handler
            return handler

        return decorator

    def find_error_handler(self, error):
        for code in (getattr(error, "code", None), None):
            for cls in type(error).__mro__:
                if (code, cls) in self.error_handlers:
                    return self.error_handlers[code, cls]
        return None

    def handle_user_exception(self, error):
        if handler := self.find_error_handler(error):
            return handler(error)
        if isinstance(error, HTTPException):
            return error.get_response()
        raise error

    def handle_exception(self, error):
        logging.error(
            "Exception on %s [%s]", request.path, request.method, exc_info=error
        )
        server_error = InternalServerError(original_exception=error)
        handler = self.find_error_handler(server_error)
        value = handler(server_error) if handler else server_error.get_response()
        return self.finalize_request(value)

    def full_dispatch_request(self):
        try:
            value = self.dispatch_request()
        except Exception as error:
            value = self.handle_user_exception(error)
        return self.finalize_request(value)

    def __call__(self, environ, start_response):
        context = Context(self, environ)
        context.__enter__()
        unhandled = None
        try:
            try:
                response = self.full_dispatch_request()
            except Exception as error:
                unhandled = error
                response = self.handle_exception(error)
            return response(environ, start_response)
        finally:
            context.__exit__(type(unhandled), unhandled, None)


app = application = App()


@app.teardown_request
def log_end(exc):
    logging.info("%s %s ended with %r", request.method, request.path, exc)


@app.errorhandler(HTTPException)
def http_error(error):
    response = error.get_response()  # has the headers of the error, such as Allow
    response.data = json.dumps({"error": error.name})
    response.mimetype = "application/json"
    return response


# A TypeError can also be a bug. In a larger program, raise an exception of your
# own, and register the handler for that exception.
@app.errorhandler(TypeError)
def not_numbers(error):
    body = '{"error": "These are no numbers"}'
    return Response(body, status=422, mimetype="application/json")


@app.route("/sum", methods=["POST"])
def add_up():
    return {"sum": sum(request.get_json())}


@app.route("/square/<int:number>")
def square(number):
    return {"square": number * number}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    run_simple("127.0.0.1", 8000, app, threaded=True)
