"""Step 2: a response is an object, which can be changed before it is sent."""

import json

from werkzeug.exceptions import HTTPException
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response


def view(request):
    """Return the response. This part is different in every application."""
    numbers = request.get_json()
    return Response(json.dumps({"sum": sum(numbers)}), mimetype="application/json")


def application(environ, start_response):
    """Call the view and send its response. Every application needs this part."""
    request = Request(environ)
    try:
        response = view(request)
    except HTTPException as error:
        response = error.get_response(environ)
    response.headers["X-Served-By"] = "step 2"
    # A response is a WSGI application, too. It sends its status, headers and body.
    return response(environ, start_response)


if __name__ == "__main__":
    run_simple("127.0.0.1", 8000, application)
