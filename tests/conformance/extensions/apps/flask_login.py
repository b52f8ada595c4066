"""Flask-Login: a protected page, a remembered login, a page that requires a fresh login, an API key, logging out."""

from __future__ import annotations

from flask import Flask, redirect, render_template_string, request
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
)
from werkzeug import Request, Response

from ..visitor import Visitor

PASSWORDS = {"ada": "engine"}
KEYS = {"k-1": "ada"}


class User(UserMixin):
    """A user who can log in."""

    def __init__(self, name: str) -> None:
        self.id = name


def load_user(name: str) -> User | None:
    return User(name) if name in PASSWORDS else None


def load_by_key(request: Request) -> User | None:
    name = KEYS.get(request.headers.get("X-Key", ""))
    return User(name) if name else None


def create_app() -> Flask:
    app = Flask(__name__)
    app.secret_key = "known"
    manager = LoginManager(app)
    manager.login_view = "login"
    manager.refresh_view = "login"
    manager.user_loader(load_user)
    manager.request_loader(load_by_key)
    app.add_url_rule("/", view_func=index)
    app.add_url_rule("/login", view_func=login, methods=["GET", "POST"])
    app.add_url_rule("/members", view_func=members)
    app.add_url_rule("/password", view_func=password)
    app.add_url_rule("/logout", view_func=logout)
    return app


def index() -> str:
    return render_template_string("{{ current_user.id if current_user.is_authenticated else 'nobody' }}")


def login() -> str | Response:
    if request.method == "GET":
        return render_template_string("{% for text in get_flashed_messages() %}{{ text }}{% endfor %}")
    user = load_user(request.form["name"])
    if user is None or PASSWORDS[user.id] != request.form["password"]:
        return "no"
    login_user(user, remember="remember" in request.form)
    return redirect(request.args.get("next", "/"))


@login_required
def members() -> str:
    return f"for {current_user.id}"


@fresh_login_required
def password() -> str:
    return "a new password"


@login_required
def logout() -> Response:
    logout_user()
    return redirect("/")


def visit(send: Visitor) -> None:
    send("GET /members", 302)
    send("GET /login?next=/members", 200)
    send("POST /login", 200, data={"name": "ada", "password": "wrong"})
    send("GET /members", 200, headers={"X-Key": "k-1"})
    send("GET /members", 302)
    send("POST /login?next=/members", 302, data={"name": "ada", "password": "engine", "remember": "yes"})
    for path in ("/", "/members", "/password"):
        send(f"GET {path}", 200)
    send.client.delete_cookie("session")
    send("GET /members", 200)
    send("GET /password", 302)
    send("GET /logout", 302)
    send("GET /", 200)
    send("GET /members", 302)
