"""Flask-WTF: a form with a file, its validation, and CSRF protection, with the token in a form and in a header."""

from __future__ import annotations

from io import BytesIO

from flask import Blueprint, Flask, render_template_string
from flask_wtf import CSRFProtect, FlaskForm
from flask_wtf.csrf import CSRFError
from flask_wtf.file import FileAllowed, FileField
from wtforms import IntegerField, StringField
from wtforms.validators import DataRequired, NumberRange

from ..visitor import Visitor

PAGE = """\
<form method="post">{{ form.hidden_tag() }}
{{ form.name.label }} {{ form.name(size=20) }} {{ form.age() }}
{% for field, errors in form.errors.items() %}{{ field }}: {{ errors | join(", ") }}
{% endfor %}</form>
"""


class Person(FlaskForm):
    """A form with a name, an age and a picture."""

    name = StringField("Name", validators=[DataRequired()])
    age = IntegerField("Age", validators=[NumberRange(1, 120)])
    picture = FileField(validators=[FileAllowed(["png"])])


def create_app() -> Flask:
    app = Flask(__name__)
    app.secret_key = "known"
    csrf = CSRFProtect(app)
    app.add_url_rule("/person", view_func=person, methods=["GET", "POST"])
    app.add_url_rule("/token", view_func=token)
    app.add_url_rule("/delete", view_func=delete, methods=["POST"])
    app.register_error_handler(CSRFError, forged)
    hooks = Blueprint("hooks", __name__)
    hooks.add_url_rule("/hook", view_func=hook, methods=["POST"])
    csrf.exempt(hooks)
    app.register_blueprint(hooks)
    return app


def person() -> str:
    form = Person()
    if form.validate_on_submit():
        picture = form.picture.data
        return f"{form.name.data} is {form.age.data}, {picture.filename if picture else 'no picture'}"
    return render_template_string(PAGE, form=form)


def token() -> str:
    return render_template_string("{{ csrf_token() }}")


def delete() -> str:
    return "deleted"


def forged(error: CSRFError) -> tuple[dict[str, str | None], int]:
    return {"error": error.description}, 400


def hook() -> str:
    return "from another site"


def visit(send: Visitor) -> None:
    send("POST /person", 400, data={"name": "Ada", "age": 36})
    send("GET /person", 200)
    good = {"csrf_token": send("GET /token", 200), "name": "Ada", "age": "36"}
    send("POST /person", 200, data=good)
    send("POST /person", 200, data={**good, "name": "", "age": "none"})
    send("POST /person", 200, data={**good, "picture": (BytesIO(b"bytes"), "me.png")})
    send("POST /person", 200, data={**good, "picture": (BytesIO(b"bytes"), "me.exe")})
    send("POST /person", 400, data={**good, "csrf_token": "made up"})
    send("POST /delete", 200, headers={"X-CSRFToken": good["csrf_token"]})
    send("POST /delete", 400)
    send("POST /hook", 200)
    send.client.delete_cookie("session")
    send("POST /person", 400, data=good)
