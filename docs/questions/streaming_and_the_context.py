from flask import Flask, Response, has_request_context, stream_with_context


def chunks():
    print("  body, with a context:", has_request_context())
    yield "chunk"


def create_app():
    app = Flask(__name__)

    @app.get("/<kind>")
    def index(kind):
        body = chunks() if kind == "plain" else stream_with_context(chunks())
        response = Response(body)
        response.call_on_close(lambda: print("  closed"))
        return response

    @app.teardown_request
    def closes(exc):
        print("  teardown")

    return app


if __name__ == "__main__":
    for kind in ("plain", "kept"):
        print(kind, "generator")
        create_app().test_client().get(f"/{kind}").close()
