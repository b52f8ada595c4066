"""Step 2: a response is a value: made here, changed there, sent later."""

import json

from werkzeug.exceptions import HTTPException
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response


def view(request):
    """Answer a request: the part that differs from one application to the next."""
    numbers = request.get_json()
    return Response(json.dumps({"sum": sum(numbers)}), mimetype="application/json")


def application(environ, start_response):
    """The part that is the same everywhere."""
    request = Request(environ)
    try:
        response = view(request)
    except HTTPException as error:
        response = error.get_response(environ)
    response.headers["X-Served-By"] = "step 2"
    # A response is an application as well: it sends its status, headers and body.
    return response(environ, start_response)


if __name__ == "__main__":
    run_simple("127.0.0.1", 8000, application)
