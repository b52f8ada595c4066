from flask import Flask


def create_app():
    app = Flask(__name__)

    @app.teardown_request
    def registered_first(exc):
        print("never printed")

    @app.teardown_request
    def registered_last(exc):
        raise OSError("the connection is gone")

    @app.teardown_appcontext
    def of_the_app(exc):
        print("teardown_appcontext still runs")

    app.add_url_rule("/", "index", lambda: "hello")
    return app


if __name__ == "__main__":
    try:
        create_app().test_client().get("/")
    except OSError as e:
        print("the server sees", repr(e))
