"""Step 6: an exception is an answer too. Handlers by code and by class; what nobody handles becomes a 500."""

import logging

from step_5_hooks import App as AppWithHooks
from step_5_hooks import Context, request
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.serving import run_simple
from werkzeug.wrappers import Response


class App(AppWithHooks):
    def __init__(self):
        super().__init__()
        self.error_handlers = {}  # (code or None, class) -> handler

    def errorhandler(self, code_or_class):
        """Decorate a handler for an HTTP status code or for a class of exceptions."""
        key = (code_or_class, HTTPException) if isinstance(code_or_class, int) else (None, code_or_class)

        def decorator(handler):
            self.error_handlers[key] = handler
            return handler

        return decorator

    def find_error_handler(self, error):
        """The nearest: first by its code, then by class; the exception's own class before its parents."""
        for code in (getattr(error, "code", None), None):
            for cls in type(error).__mro__:
                if (code, cls) in self.error_handlers:
                    return self.error_handlers[code, cls]
        return None

    def handle_user_exception(self, error):
        """What the handler answers. An HTTP error without one answers itself; any other is raised on."""
        if handler := self.find_error_handler(error):
            return handler(error)
        if isinstance(error, HTTPException):
            return error.get_response()
        raise error

    def handle_exception(self, error):
        """Nobody handled it: the log gets the traceback, the client a 500 that says nothing of it."""
        logging.error("Exception on %s [%s]", request.path, request.method, exc_info=error)
        server_error = InternalServerError(original_exception=error)
        handler = self.find_error_handler(server_error)
        return self.finalize_request(handler(server_error) if handler else server_error.get_response())

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
            context.__exit__(type(unhandled), unhandled, None)  # teardown hears of it, the client does not


app = application = App()


@app.errorhandler(HTTPException)
def http_error(error):
    response = error.get_response()  # with the headers that belong to it, such as Allow
    response.data, response.mimetype = f'{{"error": "{error.name}"}}', "application/json"
    return response


@app.errorhandler(TypeError)
def not_numbers(error):
    return Response('{"error": "These are no numbers"}', status=422, mimetype="application/json")


@app.route("/sum", methods=["POST"])
def add_up():
    return {"sum": sum(request.get_json())}


@app.route("/square/<int:number>")
def square(number):
    return {"square": number * number}


if __name__ == "__main__":
    run_simple("127.0.0.1", 5000, app, threaded=True)
