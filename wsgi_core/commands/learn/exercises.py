"""The exercises, two for each chapter: the task in words, and the check."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

from .program import NotYet, Program, expect, expect_answer

Check = Callable[[Program], None]
NUMBERS: t.Any = [1, 2, 3]


@dataclass(frozen=True)
class Exercise:
    """One exercise of a chapter. ``hint`` helps to solve it. ``look`` says where wsgi_core and Flask do the same."""

    chapter: int
    letter: str
    task: str
    hint: str
    look: str
    check: Check

    @property
    def name(self) -> str:
        """The chapter and the letter, as in ``wsgi-core learn hint 0a``."""
        return f"{self.chapter}{self.letter}"


EXERCISES: list[Exercise] = []


def exercises_of(chapter: int) -> list[Exercise]:
    """Return the exercises of a chapter, in order."""
    return [each for each in EXERCISES if each.chapter == chapter]


def exercise_named(name: str) -> Exercise:
    """Return the exercise with this name, such as ``0a``. Raises KeyError if there is none."""
    for each in EXERCISES:
        if each.name == name:
            return each
    raise KeyError(name)


def exercise(chapter: int, letter: str, task: str, hint: str, look: str) -> Callable[[Check], Check]:
    """Register the decorated function as the check of an exercise."""

    def decorator(check: Check) -> Check:
        EXERCISES.append(Exercise(chapter, letter, task, hint, look, check))
        return check

    return decorator


@exercise(
    0, "a", "Answer every method but POST with 405 and the header `Allow: POST`.",
    'environ["REQUEST_METHOD"] has the method. Decide before the body is read; a response needs start_response'
    ' and a list of bytes.',
    "Werkzeug's MethodNotAllowed (werkzeug/exceptions.py)",
)  # fmt: skip
def _(program: Program) -> None:
    response = expect_answer(program, "GET", "/sum", 405)
    expect("GET /sum: the header Allow", response.headers.get("Allow"), "POST")
    expect_answer(program, "POST", "/sum", 200, {"sum": 6}, json=NUMBERS)


@exercise(
    0, "b", 'Answer a body that is not JSON with 400 and `{"error": "not JSON"}` instead of raising.',
    "json.loads raises ValueError for text that is not JSON. Catch it, and call start_response with another status.",
    "wsgi_core/wrappers.py: Request.on_json_loading_failed; flask/wrappers.py, the same name",
)  # fmt: skip
def _(program: Program) -> None:
    expect_answer(program, "POST", "/sum", 400, {"error": "not JSON"}, data=b"{")
    expect_answer(program, "POST", "/sum", 200, {"sum": 6}, json=NUMBERS)


@exercise(
    1, "a", "Let `POST /sum?times=2` multiply the sum. Without it, or if it is not a whole number, it counts as 1.",
    "request.args holds what stands behind the ? in the URL. Its get() takes a default and a type.",
    "Werkzeug's Request.args and MultiDict.get(type=...)",
)  # fmt: skip
def _(program: Program) -> None:
    for query, total in (("?times=2", 12), ("", 6), ("?times=x", 6)):
        expect_answer(program, "POST", f"/sum{query}", 200, {"sum": total}, json=NUMBERS)


@exercise(
    1, "b", "Take a form too: `number=1&number=2` (application/x-www-form-urlencoded) is added up as JSON is.",
    "request.mimetype says what the client sent. A form's values are in request.form; getlist() returns all of"
    " one name.",
    "Werkzeug's Request.form, Request.mimetype and MultiDict.getlist",
)  # fmt: skip
def _(program: Program) -> None:
    expect_answer(program, "POST", "/sum", 200, {"sum": 6}, data={"number": ["1", "2", "3"]})
    expect_answer(program, "POST", "/sum", 200, {"sum": 6}, json=NUMBERS)


@exercise(
    2, "a", "Send an ETag. Answer a `GET /sum` with the same JSON body with 304 and no body if its"
    " `If-None-Match` has the ETag.",
    "A response can compute its ETag, and can compare itself with the request's If-None-Match. Do both before it"
    " is sent.",
    "Werkzeug's Response.add_etag and make_conditional; wsgi_core/helpers.py: send_file",
)  # fmt: skip
def _(program: Program) -> None:
    etag = expect_answer(program, "POST", "/sum", 200, {"sum": 6}, json=NUMBERS).headers.get("ETag")
    if not etag:
        raise NotYet("POST /sum: the answer has no ETag.")
    other = expect_answer(program, "POST", "/sum", 200, {"sum": 7}, json=[7], headers={"If-None-Match": etag})
    expect("the ETag of another answer is another one", other.headers.get("ETag") != etag, True)
    # Only GET and HEAD requests can be conditional, so the same body is sent with GET.
    again = program.send("GET", "/sum", json=NUMBERS, headers={"If-None-Match": etag})
    expect("GET /sum with its ETag: status and body", (again.status_code, again.get_data()), (304, b""))


@exercise(
    2, "b", "Answer in plain text, `6`, if the request's `Accept` prefers text/plain to JSON.",
    "request.accept_mimetypes knows what the client prefers. Give its best_match() the types that you can make.",
    "Werkzeug's Request.accept_mimetypes.best_match",
)  # fmt: skip
def _(program: Program) -> None:
    accept = "text/plain, application/json;q=0.5"
    response = program.send("POST", "/sum", json=NUMBERS, headers={"Accept": accept})
    expect(f"with Accept: {accept}: type and body", (response.mimetype, response.text.strip()), ("text/plain", "6"))
    expect_answer(program, "POST", "/sum", 200, {"sum": 6}, json=NUMBERS, headers={"Accept": "application/json"})


@exercise(
    3, "a", 'Add `GET /power/<int:base>/<int:exponent>`: `/power/2/10` gives `{"power": 1024}`.',
    "A rule may have two variables: /power/<int:base>/<int:exponent>. The view gets both by name.",
    "wsgi_core/routing.py: add_url_rule; flask/sansio/app.py: App.add_url_rule",
)  # fmt: skip
def _(program: Program) -> None:
    expect_answer(program, "GET", "/power/2/10", 200, {"power": 1024})
    expect_answer(program, "GET", "/power/3/4", 200, {"power": 81})
    expect_answer(program, "GET", "/power/2", 404)
    expect_answer(program, "POST", "/power/2/10", 405)


@exercise(
    3, "b", 'Write a converter `hex`, so that `GET /hex/ff` gives `{"number": 255}` and `/hex/xyz` is not found.',
    "A converter is a class with a regex and a method to_python. Map takes converters by their names.",
    "Werkzeug's BaseConverter (regex, to_python) and Map.converters",
)  # fmt: skip
def _(program: Program) -> None:
    expect_answer(program, "GET", "/hex/ff", 200, {"number": 255})
    expect_answer(program, "GET", "/hex/10", 200, {"number": 16})
    expect_answer(program, "GET", "/hex/xyz", 404)


@exercise(
    4, "a", "Add the proxy `current_app`, and `GET /rules`, which answers the number of the app's rules by it.",
    "request and g are proxies for attributes of the context. The context has the app as an attribute too.",
    "wsgi_core/context.py: current_app; flask/globals.py: current_app",
)  # fmt: skip
def _(program: Program) -> None:
    rules = len(list(program.application.url_map.iter_rules()))
    expect_answer(program, "GET", "/rules", 200, {"rules": rules})
    try:
        program.current_app.url_map  # noqa: B018  the access is the check
    except RuntimeError:
        return
    raise NotYet("Outside a request current_app must raise RuntimeError.")


@exercise(
    4, "b", "Write `copy_current_context(func)`: the function that it gives runs `func` in another thread with this"
    " request's context. `GET /thread` answers the path that `request` has there.",
    "Get the current context where copy_current_context is called, and make it current where the function runs."
    " Reset it afterwards.",
    "wsgi_core/context.py: copy_current_request_context; flask/ctx.py, the same name",
)  # fmt: skip
def _(program: Program) -> None:
    expect_answer(program, "GET", "/thread", 200, {"path": "/thread"})
    copy: list[t.Any] = []
    with program.Context(program.application, {"PATH_INFO": "/elsewhere", "SERVER_NAME": "x", "SERVER_PORT": "80",
                                               "REQUEST_METHOD": "GET", "wsgi.url_scheme": "http"}):  # fmt: skip
        func = program.copy_current_context(lambda: copy.append(program.request.path))
    thread = Thread(target=func)
    thread.start()
    thread.join()
    expect("what the copied function saw in its thread", copy, ["/elsewhere"])


@exercise(
    5, "a", "Write `after_this_request(func)`, and `GET /once`, whose view uses it to set the header `X-Once` on its"
    " own response and no other.",
    "The functions must be kept with the request: g is there for that. finalize_request is where they are called.",
    "wsgi_core/context.py: after_this_request; flask/ctx.py, the same name",
)  # fmt: skip
def _(program: Program) -> None:
    if "X-Once" not in expect_answer(program, "GET", "/once", 200).headers:
        raise NotYet("GET /once: the answer has no header X-Once.")
    if "X-Once" in expect_answer(program, "GET", "/square/2", 200).headers:
        raise NotYet("GET /square/2: X-Once is there too: it must be set for one request alone.")


@exercise(
    5, "b", 'Answer requests with the header `X-Maintenance` with 503 and `{"error": "maintenance"}`, before the URL'
    " is matched. The time still stands in the answer's header.",
    "A before function that returns a response skips the view and the match.",
    "wsgi_core/app.py: App.preprocess_request; flask/app.py: Flask.preprocess_request",
)  # fmt: skip
def _(program: Program) -> None:
    for path in ("/square/2", "/nope"):
        response = expect_answer(program, "GET", path, 503, {"error": "maintenance"}, headers={"X-Maintenance": "yes"})
        expect(f"GET {path}: X-Response-Time-ms is there", "X-Response-Time-ms" in response.headers, True)
    expect_answer(program, "GET", "/square/2", 200, {"square": 4})


@exercise(
    6, "a", 'Register a handler for the code 404, which answers `{"error": "nothing at /nope"}` with the path.',
    "errorhandler takes a code. A handler may ask for request.path, because the request's context is still there.",
    "wsgi_core/errors.py; flask/sansio/app.py: App._find_error_handler",
)  # fmt: skip
def _(program: Program) -> None:
    expect_answer(program, "GET", "/nope", 404, {"error": "nothing at /nope"})
    expect_answer(program, "GET", "/sum", 405, {"error": "Method Not Allowed"})


@exercise(
    6, "b", "Give the app an attribute `propagate_exceptions`, False at first: where it is true, what nobody handled"
    " is raised on to the server instead of answered with a 500.",
    "handle_exception decides what happens to an exception that no handler took. Raise it again there, and before"
    " the log gets it.",
    "wsgi_core/errors.py: handle_exception; flask/app.py: Flask.handle_exception",
)  # fmt: skip
def _(program: Program) -> None:
    app = program.application
    app.route("/fails")(lambda: 1 // 0)
    app.propagate_exceptions = getattr(app, "propagate_exceptions", None)
    expect("propagate_exceptions at first", app.propagate_exceptions, False)
    expect_answer(program, "GET", "/fails", 500)
    app.propagate_exceptions = True
    program.note("GET", "/fails")
    try:
        program.client.get("/fails")
    except ZeroDivisionError:
        return
    raise NotYet("GET /fails: with propagate_exceptions the ZeroDivisionError must reach the caller.")


@exercise(
    7, "a", "Give Blueprint a decorator `before_request`: its functions run for the blueprint's own routes alone.",
    "A blueprint keeps its functions until the app registers it. Then each of its views can be wrapped.",
    "wsgi_core/blueprints.py; flask/sansio/blueprints.py: Blueprint.before_request",
)  # fmt: skip
def _(program: Program) -> None:
    app, other, called = program.application, program.Blueprint("other"), []
    if not hasattr(other, "before_request"):
        raise NotYet("Blueprint has no before_request.")
    other.before_request(lambda: called.append("other"))
    other.route("/ping")(lambda: {"ping": "pong"})
    app.register_blueprint(other, url_prefix="/other")
    expect_answer(program, "GET", "/square/2", 200, {"square": 4})
    expect("the hook before a route of another blueprint: calls", called, [])
    expect_answer(program, "GET", "/other/ping", 200, {"ping": "pong"})
    expect("the hook before its own route: calls", called, ["other"])


@exercise(
    7, "b", "Add the signal `request_started`, sent before the hooks with the app as its sender, if anybody listens.",
    "It is made as request_finished is, and sent at the beginning of dispatch_request, if it has receivers.",
    "wsgi_core/app.py: App.full_dispatch_request; flask/app.py: Flask.full_dispatch_request",
)  # fmt: skip
def _(program: Program) -> None:
    received: list[t.Any] = []

    def listen(sender: t.Any, **kwargs: t.Any) -> None:
        received.append((sender, program.request.path))

    with program.request_started.connected_to(listen):
        expect_answer(program, "GET", "/nope", 404)
    expect("what a receiver got", received, [(program.application, "/nope")])


@exercise(
    8, "a", 'Add `GET /models`: `[{"name": "churn", "version": "1"}, ...]`, sorted by name.',
    "repository.models is a list of models; each has a name and a version.",
    "wsgi_core/inference/repository.py: ModelRepository.models",
)  # fmt: skip
def _(program: Program) -> None:
    models = [{"name": model.name, "version": model.version} for model in program.repository.models]
    expect_answer(program, "GET", "/models", 200, sorted(models, key=lambda model: model["name"]))


@exercise(
    8, "b", 'Answer more than 100 rows at once with 413 and `{"error": "at most 100 rows"}`; 100 are still'
    ' predicted.',
    "Look at what request.get_json() returns before it goes to the model. A view may return a dict and a status.",
    "wsgi_core/inference/model.py: Model.predict",
)  # fmt: skip
def _(program: Program) -> None:
    row = {"tenure_months": 5, "monthly_charges": 85.5, "total_charges": 430,
           "contract_month_to_month": 1, "has_fiber": 1}  # fmt: skip
    expect_answer(program, "POST", "/predict", 413, {"error": "at most 100 rows"}, json=[row] * 101)
    expect_answer(program, "POST", "/predict", 200, json=[row] * 100)
    expect_answer(program, "POST", "/predict", 200, json=row)


@exercise(
    9, "a", "Add `GET /hello/<name>`, a template that greets: `<p>Hello, Ada!</p>`. Markup in a name is escaped.",
    "render_template_string takes the template and its variables. It escapes a name that has markup in it.",
    "flask/templating.py: render_template_string; wsgi_core/templating.py, the same name",
)  # fmt: skip
def _(program: Program) -> None:
    for name, shown in (("Ada", "Ada"), ("<b>", "&lt;b&gt;")):
        response = expect_answer(program, "GET", f"/hello/{name}", 200)
        expect(f"GET /hello/{name}: type and body", (response.mimetype, response.text.strip()),
               ("text/html", f"<p>Hello, {shown}!</p>"))  # fmt: skip


@exercise(
    9, "b", "Add the command `flask --app step_9_flask count-rules`, which prints the number of the app's rules.",
    "app.cli.command() makes a function a command, as app.route() makes it a view.",
    "flask/cli.py: AppGroup; wsgi_core/cli.py, the same name",
)  # fmt: skip
def _(program: Program) -> None:
    result = program.application.test_cli_runner().invoke(args=["count-rules"])
    expect("count-rules: exit code", result.exit_code, 0)
    expect("count-rules: output", result.output.strip(), str(len(list(program.application.url_map.iter_rules()))))
