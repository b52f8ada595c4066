"""Two requests at the same time, without threads. Each request has its own context, as in a thread."""

from contextvars import Context

from flask import Flask, request

app = Flask(__name__)


@app.get("/<name>")
def index(name):
    return f"{name} reads {request.path}"


if __name__ == "__main__":
    one, two = Context(), Context()
    # Both requests begin before their views run.
    one.run(app.test_request_context("/one").push)
    two.run(app.test_request_context("/two").push)
    print("one reads", one.run(lambda: request.path))
    print("two reads", two.run(lambda: request.path))
