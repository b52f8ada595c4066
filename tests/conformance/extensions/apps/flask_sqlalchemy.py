"""Flask-SQLAlchemy: a model in an in-memory database; rows created, paginated, not found, and rolled back."""

from __future__ import annotations

from flask import Flask, jsonify, request, url_for
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import IntegrityError
from werkzeug import Response

from ..visitor import Visitor

db = SQLAlchemy()


class Book(db.Model):
    """One row of the only table."""

    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(50), unique=True, nullable=False)


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db.init_app(app)
    with app.app_context():
        db.create_all()
    app.add_url_rule("/books", view_func=add, methods=["POST"])
    app.add_url_rule("/books", view_func=listed)
    app.add_url_rule("/books/<int:number>", view_func=book)
    app.add_url_rule("/titles/<title>", view_func=by_title)
    app.add_url_rule("/sessions", view_func=sessions)
    app.register_error_handler(IntegrityError, taken)
    return app


def add() -> tuple[dict[str, int], int, dict[str, str]]:
    made = Book(title=request.get_json()["title"])
    db.session.add(made)
    db.session.commit()
    return {"id": made.id}, 201, {"Location": url_for("book", number=made.id)}


def listed() -> Response:
    page = db.paginate(db.select(Book).order_by(Book.title), per_page=2, max_per_page=2)
    return jsonify(titles=[book.title for book in page], pages=page.pages, total=page.total)


def book(number: int) -> dict[str, str]:
    return {"title": db.get_or_404(Book, number).title}


def by_title(title: str) -> dict[str, int]:
    found = db.first_or_404(db.select(Book).filter_by(title=title), description=f"no book is called {title}")
    return {"id": found.id}


def taken(error: IntegrityError) -> tuple[dict[str, str], int]:
    # No rollback here: the extension's teardown function must do it.
    return {"error": str(error.orig)}, 409


def sessions() -> str:
    return f"{len(db.session.registry.registry)} sessions were left behind"


def visit(send: Visitor) -> None:
    for title in ("Emma", "Walden", "Dune"):
        send("POST /books", 201, json={"title": title})
    send("POST /books", 409, json={"title": "Emma"})
    send("POST /books", 201, json={"title": "Ulysses"})
    for path in ("/books", "/books?page=2", "/books/2", "/titles/Dune", "/sessions"):
        send(f"GET {path}", 200)
    for path in ("/books?page=9", "/books/99", "/titles/Nowhere"):
        send(f"GET {path}", 404)
