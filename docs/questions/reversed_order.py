from flask import Flask


def create_app():
    app = Flask(__name__)
    for name in ("database", "user"):

        @app.before_request
        def opens(name=name):
            print("before  ", name)

        @app.after_request
        def adds(response, name=name):
            print("after   ", name)
            return response

        @app.teardown_request
        def closes(exc, name=name):
            print("teardown", name)

    app.add_url_rule("/", "index", lambda: "hello")
    return app


if __name__ == "__main__":
    create_app().test_client().get("/")
