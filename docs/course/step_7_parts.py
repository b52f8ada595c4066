"""Step 7: blueprints, signals, and a session in a signed cookie."""

from blinker import Namespace
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy
from werkzeug.serving import run_simple

from step_5_hooks import request
from step_6_errors import App as AppWithErrors
from step_6_errors import http_error, not_numbers

request_finished = Namespace().signal("request-finished")
session = LocalProxy(lambda: request.session)


class Blueprint:
    """A collection of routes, which an app registers later."""

    def __init__(self, name):
        self.name, self.routes = name, []

    def route(self, rule, methods=("GET",)):
        def decorator(view):
            self.routes.append((rule, methods, view))
            return view

        return decorator


class App(AppWithErrors):
    def __init__(self, secret_key):
        super().__init__()
        self.signer = URLSafeSerializer(secret_key, "session")

    def register_blueprint(self, blueprint, url_prefix=""):
        for rule, methods, view in blueprint.routes:
            self.route(url_prefix + rule, methods)(view)

    def open_session(self):
        """Return the session in the cookie, or {} if the signature is wrong."""
        try:
            return self.signer.loads(request.cookies.get("session", ""))
        except BadSignature:
            return {}

    def dispatch_request(self):
        request.session = self.open_session()
        request.opened = dict(request.session)
        return super().dispatch_request()

    def finalize_request(self, value):
        response = super().finalize_request(value)
        if session != request.opened:  # send only a session that has changed
            cookie = self.signer.dumps(dict(session))
            response.set_cookie("session", cookie, httponly=True, samesite="Lax")
        if request_finished.receivers:  # send only if there are receivers
            request_finished.send(self, response=response)
        return response


app = application = App(secret_key="not a secret")
app.errorhandler(HTTPException)(http_error)
app.errorhandler(TypeError)(not_numbers)
arithmetic = Blueprint("arithmetic")


@arithmetic.route("/sum", methods=["POST"])
def add_up():
    session["sums"] = session.get("sums", 0) + 1
    return {"sum": sum(request.get_json())}


@arithmetic.route("/square/<int:number>")
def square(number):
    return {"square": number * number}


@arithmetic.route("/sums")
def sums():
    return {"sums": session.get("sums", 0)}


app.register_blueprint(arithmetic)


@request_finished.connect
def count(sender, response):
    sender.answered = getattr(sender, "answered", 0) + 1


if __name__ == "__main__":
    run_simple("127.0.0.1", 8000, app, threaded=True)
