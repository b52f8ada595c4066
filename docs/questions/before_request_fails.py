from flask import Flask, abort


def create_app():
    app = Flask(__name__)

    @app.before_request
    def authenticate():
        abort(401)

    @app.before_request
    def load_user():
        print("never printed")

    @app.after_request
    def stamp(response):
        print("after_request sees", response.status)
        return response

    app.add_url_rule("/", "index", lambda: "hello")
    return app


if __name__ == "__main__":
    create_app().test_client().get("/")
