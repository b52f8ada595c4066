from threading import Barrier, Thread

from flask import Flask, request

together = Barrier(2)


def create_app():
    app = Flask(__name__)

    @app.get("/<name>")
    def index(name):
        together.wait()  # both requests are inside the view now
        return f"{name} reads {request.path}"

    return app


if __name__ == "__main__":
    app, answers = create_app(), []
    threads = [Thread(target=lambda n=n: answers.append(app.test_client().get(f"/{n}").text)) for n in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*sorted(answers), sep="\n")
