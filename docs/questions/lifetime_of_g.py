from flask import Flask, current_app, g


def create_app():
    app = Flask(__name__)

    @app.get("/")
    def index():
        g.user = "Ada"
        with current_app.app_context():
            print("in a context of its own:", g.get("user"))
        print("back in the request:", g.get("user"))
        return "done"

    @app.teardown_appcontext
    def closes(exc):
        print("in the teardown:", g.get("user"))

    app.add_url_rule("/next", "following", lambda: f"in the next request: {g.get('user')}")
    return app


if __name__ == "__main__":
    client = create_app().test_client()
    client.get("/")
    print(client.get("/next").text)
    with client.application.app_context():  # as a test does
        g.user = "Bob"
        print(client.get("/next").text)
