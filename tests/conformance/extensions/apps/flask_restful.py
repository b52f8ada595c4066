"""Flask-RESTful: resources with fields and parsed arguments, also in a blueprint, and its own error responses."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask
from flask_restful import Api, Resource, abort, fields, marshal_with, reqparse

from ..visitor import Visitor

TASKS = {"wash": {"text": "Wash the car", "hours": 2, "secret": "no field"}}
arguments = reqparse.RequestParser()
arguments.add_argument("text", required=True, help="what is to be done?")
arguments.add_argument("hours", type=int, default=1)


class Task(Resource):
    """One task."""

    @marshal_with({"text": fields.String, "hours": fields.Integer, "uri": fields.Url("task", absolute=True)})
    def get(self, name: str) -> dict[str, Any]:
        if name not in TASKS:
            abort(404, message=f"there is no task {name}")
        return {**TASKS[name], "name": name}

    def put(self, name: str) -> tuple[dict[str, Any], int, dict[str, str]]:
        return {"name": name, **arguments.parse_args()}, 201, {"X-Made": name}

    def delete(self, name: str) -> None:
        raise ValueError(f"{name} cannot be undone")


class Greeting(Resource):
    """The resource of the blueprint."""

    def get(self) -> dict[str, str]:
        return {"hello": "world"}


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    Api(app).add_resource(Task, "/tasks/<name>", endpoint="task")
    below = Blueprint("below", __name__, url_prefix="/v1")
    Api(below).add_resource(Greeting, "/greeting")
    app.register_blueprint(below)
    app.add_url_rule("/plain", view_func=plain)
    return app


def plain() -> str:
    return "not the extension's"


def visit(send: Visitor) -> None:
    for path in ("/tasks/wash", "/v1/greeting", "/plain"):
        send(f"GET {path}", 200)
        send(f"HEAD {path}", 200)
        send(f"OPTIONS {path}", 200)
        send(f"POST {path}", 405)
    for path in ("/tasks/none", "/tasks", "/v1/greetings"):
        send(f"GET {path}", 404)
    send("PUT /tasks/rest", 201, json={"text": "Sleep", "hours": "8"})
    send("PUT /tasks/rest", 400, json={"hours": 8})
    send("PUT /tasks/rest", 400, json={"text": "Sleep", "hours": "many"})
    send("PUT /tasks/rest", 400, data="{", content_type="application/json")
    send("PUT /tasks/rest", 415, data="text", content_type="text/plain")
    send("DELETE /tasks/wash", 500)
    send("GET /tasks/wash", 200, headers={"Accept": "image/png"})
