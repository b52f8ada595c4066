from flask import Flask


def create_app():
    app = Flask(__name__)

    @app.after_request
    def stamp(response):
        print("after_request sees", response.status)
        return response

    @app.get("/")
    def index():
        raise ZeroDivisionError

    return app


if __name__ == "__main__":
    app = create_app()
    app.logger.disabled = True
    print("the client sees", app.test_client().get("/").status)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    try:
        app.test_client().get("/")
    except ZeroDivisionError as e:
        print("the caller sees", repr(e))
