"""Flask-CORS: origins for some paths, credentials, a decorated view, preflight requests, and errors."""

from __future__ import annotations

from flask import Blueprint, Flask
from flask_cors import CORS, cross_origin

from ..visitor import Visitor


def create_app() -> Flask:
    app = Flask(__name__)
    CORS(
        app,
        resources={r"/api/*": {"origins": ["http://friend.test", r"http://.*\.friend\.test"]}},
        supports_credentials=True,
    )
    api = Blueprint("api", __name__, url_prefix="/api")
    api.add_url_rule("/items", view_func=items, methods=["GET", "POST"])
    api.add_url_rule("/broken", view_func=broken)
    app.register_blueprint(api)
    app.add_url_rule("/open", view_func=to_all, methods=["GET", "PUT"])
    app.add_url_rule("/closed", view_func=to_none)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


def items() -> tuple[dict[str, list[int]], dict[str, str]]:
    return {"items": [1, 2]}, {"Vary": "Accept"}


def broken() -> str:
    raise ValueError("the view's fault")


@cross_origin(expose_headers=["X-Total"], max_age=60)
def to_all() -> str:
    return "for all"


def to_none() -> str:
    return "for none"


def visit(send: Visitor) -> None:
    for origin in ("http://friend.test", "http://www.friend.test", "http://stranger.test"):
        preflight = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-A"}
        for path, status in (("/api/items", 200), ("/api/nothing", 404), ("/open", 200), ("/closed", 200)):
            send(f"GET {path}", status, headers={"Origin": origin})
            send(f"OPTIONS {path}", status, headers=preflight)
        send("GET /api/broken", 500, headers={"Origin": origin})
        send("DELETE /api/items", 405, headers={"Origin": origin})
    send("GET /api/items", 200)
