"""Step 0: a web application is a function. PEP 3333 defines its arguments."""

import json
from wsgiref.simple_server import make_server


def application(environ, start_response):
    """Add up the numbers in the body: ``[1, 2, 3]`` gives ``{"sum": 6}``."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    numbers = json.loads(environ["wsgi.input"].read(length))
    body = json.dumps({"sum": sum(numbers)}).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    ]
    start_response("200 OK", headers)
    return [body]


if __name__ == "__main__":
    print("Serving on http://127.0.0.1:8000 (Ctrl-C stops)")
    make_server("127.0.0.1", 8000, application).serve_forever()
