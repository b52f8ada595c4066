"""Step 8: a model behind a view. The program now uses wsgi_core."""

import waitress
from wsgi_core import App, Blueprint, jsonify, request, session
from wsgi_core.inference import InputError, ModelRepository

# All models are loaded before the server starts. All threads share them.
repository = ModelRepository()
arithmetic = Blueprint("arithmetic", __name__)


@arithmetic.post("/sum")
def add_up():
    session["sums"] = session.get("sums", 0) + 1
    return {"sum": sum(request.get_json())}


@arithmetic.get("/square/<int:number>")
def square(number):
    return {"square": number * number}


@arithmetic.get("/sums")
def sums():
    return {"sums": session.get("sums", 0)}


@arithmetic.post("/predict")
def predict():
    # A thin view: the model checks the rows and predicts. It knows nothing of HTTP.
    return repository.get("churn").predict(request.get_json())


@arithmetic.app_errorhandler(InputError)
def bad_input(error):
    return jsonify(error=error.message), 422


@arithmetic.app_errorhandler(TypeError)
def not_numbers(error):
    return jsonify(error="These are no numbers"), 422


app = application = App(__name__)
app.secret_key = "not a secret"
app.register_blueprint(arithmetic)

if __name__ == "__main__":
    print("Serving on http://127.0.0.1:8000 (Ctrl-C stops)")
    waitress.serve(app, host="127.0.0.1", port=8000)
