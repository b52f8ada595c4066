"""Step 1: the environ has strings and a stream. A Request object decodes them."""

import json

from werkzeug.exceptions import HTTPException
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request


def application(environ, start_response):
    """Add up the numbers in the body."""
    request = Request(environ)
    try:
        numbers = request.get_json()
    except HTTPException as error:
        # An HTTP error is a WSGI application, too. It sends a 400 or a 415.
        return error(environ, start_response)
    body = json.dumps({"sum": sum(numbers)}).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    ]
    start_response("200 OK", headers)
    return [body]


if __name__ == "__main__":
    run_simple("127.0.0.1", 8000, application)
