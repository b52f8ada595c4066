import flask
from flask import Flask

NAMES = ("appcontext_pushed", "request_started", "got_request_exception", "request_finished")
NAMES += ("request_tearing_down", "appcontext_tearing_down", "appcontext_popped")


def create_app():
    app = Flask(__name__)
    for name in NAMES:
        getattr(flask, name).connect(lambda sender, name=name, **kwargs: print(" ", name), app, weak=False)

    @app.get("/<kind>")
    def index(kind):
        if kind == "fails":
            raise ZeroDivisionError
        return "fine"

    return app


if __name__ == "__main__":
    app = create_app()
    app.logger.disabled = True
    for kind in ("works", "fails"):
        print("a view that", kind)
        app.test_client().get(f"/{kind}")
