from threading import Thread

from flask import Flask, copy_current_request_context, request


def create_app():
    app = Flask(__name__)

    def work():
        try:
            print("in the thread:", request.path)
        except RuntimeError as e:
            print("in the thread:", str(e).splitlines()[0])

    @app.get("/")
    def index():
        for target in (work, copy_current_request_context(work)):
            thread = Thread(target=target)
            thread.start()
            thread.join()
        return "done"

    return app


if __name__ == "__main__":
    create_app().test_client().get("/")
