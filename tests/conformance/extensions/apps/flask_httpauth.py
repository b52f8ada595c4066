"""Flask-HTTPAuth: passwords with roles, tokens, either of both, optional authentication, a custom error response."""

from __future__ import annotations

from flask import Flask
from flask_httpauth import HTTPBasicAuth, HTTPTokenAuth, MultiAuth

from ..visitor import Visitor

basic = HTTPBasicAuth(realm="members")
token = HTTPTokenAuth()
either = MultiAuth(basic, token)
PASSWORDS = {"ada": "engine", "bob": "builder"}


@basic.verify_password
def verify_password(name: str, password: str) -> str | None:
    return name if PASSWORDS.get(name, "") == password != "" else None


@basic.get_user_roles
def roles(name: str) -> str:
    return "admin" if name == "ada" else "member"


@token.verify_token
def verify_token(given: str) -> str | None:
    return {"t-1": "ada"}.get(given)


@token.error_handler
def refused(status: int) -> dict[str, int]:
    return {"refused": status}


def create_app() -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/members", "members", basic.login_required(lambda: f"hello {basic.current_user()}"))
    app.add_url_rule("/admin", "admin", basic.login_required(role="admin")(lambda: "everything"))
    app.add_url_rule("/guests", "guests", basic.login_required(optional=True)(lambda: str(basic.current_user())))
    app.add_url_rule("/tokens", "tokens", token.login_required(lambda: token.current_user()))
    app.add_url_rule("/either", "either", either.login_required(lambda: either.current_user()))
    return app


def visit(send: Visitor) -> None:
    bearer = {"Authorization": "Bearer t-1"}
    for path in ("/members", "/admin", "/tokens", "/either"):
        send(f"GET {path}", 401)
    for path in ("/members", "/admin", "/guests", "/either"):
        send(f"GET {path}", 200, auth=("ada", "engine"))
    send("GET /admin", 403, auth=("bob", "builder"))
    send("GET /members", 401, auth=("ada", "wrong"))
    send("GET /guests", 200)
    for path in ("/tokens", "/either"):
        send(f"GET {path}", 200, headers=bearer)
    send("GET /members", 401, headers=bearer)
    send("GET /tokens", 401, headers={"Authorization": "Bearer t-2"})
    send("OPTIONS /members", 200)
