from flask import Flask


def create_app():
    app = Flask(__name__)

    @app.errorhandler(KeyError)
    def missing(error):
        return "handled", 404

    @app.teardown_request
    def closes(exc):
        print("teardown receives", repr(exc))

    @app.get("/<kind>")
    def fails(kind):
        raise {"handled": KeyError, "unhandled": ValueError}[kind]("x")

    return app


if __name__ == "__main__":
    app = create_app()
    app.logger.disabled = True
    for kind in ("handled", "unhandled"):
        print(kind, app.test_client().get(f"/{kind}").status_code)
