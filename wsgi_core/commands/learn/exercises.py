"""The exercises of the course. Each chapter has two exercises, and each exercise has a task, a hint and a check."""

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
    """One exercise of a chapter.

    `similar_code` names code with the same purpose in this project, Flask or Werkzeug. `check` raises NotYet if a
    program has not solved the exercise.
    """

    chapter: int
    letter: str
    task: str
    hint: str
    similar_code: str
    check: Check

    @property
    def name(self) -> str:
        """The chapter and the letter, such as ``0a``."""
        return f"{self.chapter}{self.letter}"


EXERCISES: list[Exercise] = []


def exercises_of(chapter: int) -> list[Exercise]:
    """Return the exercises of a chapter, in order."""
    return [each for each in EXERCISES if each.chapter == chapter]


def exercise_named(name: str) -> Exercise:
    """Return the exercise with this name, such as ``0a``. Raises KeyError if there is no such exercise."""
    for each in EXERCISES:
        if each.name == name:
            return each
    raise KeyError(name)


def exercise(chapter: int, letter: str, task: str, hint: str, similar_code: str) -> Callable[[Check], Check]:
    """Return a decorator that registers a function as the check of a new exercise."""

    def decorator(check: Check) -> Check:
        EXERCISES.append(Exercise(chapter, letter, task, hint, similar_code, check))
        return check

    return decorator


@exercise(
    0, "a", "If the method is not POST, respond with 405 and the header `Allow: POST`.",
    'environ["REQUEST_METHOD"] has the method. Check it before you read the body. A response needs start_response'
    ' and a list of bytes.',
    "Werkzeug's MethodNotAllowed (werkzeug/exceptions.py)",
)  # fmt: skip
def _(program: Program) -> None:
    response = expect_answer(program, "GET", "/sum", 405)
    expect("GET /sum: the header Allow", response.headers.get("Allow"), "POST")
    expect_answer(program, "POST", "/sum", 200, {"sum": 6}, json=NUMBERS)


@exercise(
    0, "b", 'If the body is not JSON, respond with 400 and `{"error": "not JSON"}`. Do not raise an exception.',
    "json.loads raises ValueError for text that is not JSON. Catch it, and call start_response with another status.",
    "wsgi_core/wrappers.py: Request.on_json_loading_failed; flask/wrappers.py, the same name",
)  # fmt: skip
def _(program: Program) -> None:
    expect_answer(program, "POST", "/sum", 400, {"error": "not JSON"}, data=b"{")
    expect_answer(program, "POST", "/sum", 200, {"sum": 6}, json=NUMBERS)


@exercise(
    1, "a", "Let `POST /sum?times=2` multiply the sum by `times`. If `times` is missing or not a whole number, use 1.",
    "request.args has the parameters after the ? in the URL. Its get() takes a default and a type.",
    "Werkzeug's Request.args and MultiDict.get(type=...)",
)  # fmt: skip
def _(program: Program) -> None:
    for query, total in (("?times=2", 12), ("", 6), ("?times=x", 6)):
        expect_answer(program, "POST", f"/sum{query}", 200, {"sum": total}, json=NUMBERS)


@exercise(
    1, "b", "Accept a form, too: add the numbers in `number=1&number=2` (application/x-www-form-urlencoded), as you"
    " add the numbers in JSON.",
    "request.mimetype is the type of the body. A form's values are in request.form; its getlist() returns all values"
    " of one name.",
    "Werkzeug's Request.form, Request.mimetype and MultiDict.getlist",
)  # fmt: skip
def _(program: Program) -> None:
    expect_answer(program, "POST", "/sum", 200, {"sum": 6}, data={"number": ["1", "2", "3"]})
    expect_answer(program, "POST", "/sum", 200, {"sum": 6}, json=NUMBERS)


@exercise(
    2, "a", "Send an ETag. If a `GET /sum` with the same JSON body has this ETag in `If-None-Match`, respond with 304"
    " and no body.",
    "A response can compute its ETag, and can compare the ETag with the request's If-None-Match. Do both before the"
    " response is sent.",
    "Werkzeug's Response.add_etag and make_conditional; wsgi_core/helpers.py: send_file",
)  # fmt: skip
def _(program: Program) -> None:
    etag = expect_answer(program, "POST", "/sum", 200, {"sum": 6}, json=NUMBERS).headers.get("ETag")
    if not etag:
        raise NotYet("POST /sum: the response has no ETag.")
    other = expect_answer(program, "POST", "/sum", 200, {"sum": 7}, json=[7], headers={"If-None-Match": etag})
    expect("the ETag of another response differs", other.headers.get("ETag") != etag, True)
    # Only GET and HEAD requests can be conditional, so the same body is sent with GET.
    again = program.send("GET", "/sum", json=NUMBERS, headers={"If-None-Match": etag})
    expect("GET /sum with its ETag: status and body", (again.status_code, again.get_data()), (304, b""))


@exercise(
    2, "b", "If the request's `Accept` prefers text/plain to JSON, respond in plain text: `6`.",
    "request.accept_mimetypes has the client's preferences. Pass the types that you can send to its best_match().",
    "Werkzeug's Request.accept_mimetypes.best_match",
)  # fmt: skip
def _(program: Program) -> None:
    accept = "text/plain, application/json;q=0.5"
    response = program.send("POST", "/sum", json=NUMBERS, headers={"Accept": accept})
    expect(f"with Accept: {accept}: type and body", (response.mimetype, response.text.strip()), ("text/plain", "6"))
    expect_answer(program, "POST", "/sum", 200, {"sum": 6}, json=NUMBERS, headers={"Accept": "application/json"})


@exercise(
    3, "a", 'Add `GET /power/<int:base>/<int:exponent>`: `/power/2/10` gives `{"power": 1024}`.',
    "A rule may have two variables: /power/<int:base>/<int:exponent>. The view gets both as keyword arguments.",
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
    4, "a", "Add the proxy `current_app`. Add `GET /rules`, which uses the proxy to return the number of the app's"
    ' rules: `{"rules": 3}`.',
    "request and g are proxies for attributes of the context. The context has the app as an attribute, too.",
    "wsgi_core/context.py: current_app; flask/globals.py: current_app",
)  # fmt: skip
def _(program: Program) -> None:
    rules = len(list(program.application.url_map.iter_rules()))
    expect_answer(program, "GET", "/rules", 200, {"rules": rules})
    try:
        program.current_app.url_map  # noqa: B018  the access is the check
    except RuntimeError:
        return
    raise NotYet("Outside a request, current_app must raise RuntimeError.")


@exercise(
    4, "b", "Write `copy_current_context(func)`. It returns a function that runs `func` with this request's context,"
    ' also in another thread. Add `GET /thread`, which returns the `request.path` of such a thread:'
    ' `{"path": "/thread"}`.',
    "Get the current context when copy_current_context is called, and make it current when the returned function runs."
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
    " own response and on no other response.",
    "Keep the functions in g, which belongs to one request. Call the functions in finalize_request.",
    "wsgi_core/context.py: after_this_request; flask/ctx.py, the same name",
)  # fmt: skip
def _(program: Program) -> None:
    if "X-Once" not in expect_answer(program, "GET", "/once", 200).headers:
        raise NotYet("GET /once: the response has no header X-Once.")
    if "X-Once" in expect_answer(program, "GET", "/square/2", 200).headers:
        raise NotYet("GET /square/2: the response has X-Once, too. Set it for one request only.")


@exercise(
    5, "b", 'If a request has the header `X-Maintenance`, respond with 503 and `{"error": "maintenance"}` before the'
    " URL is matched. The response still has the header `X-Response-Time-ms`.",
    "If a before_request function returns a response, the URL is not matched and the view is not called.",
    "wsgi_core/app.py: App.preprocess_request; flask/app.py: Flask.preprocess_request",
)  # fmt: skip
def _(program: Program) -> None:
    for path in ("/square/2", "/nope"):
        response = expect_answer(program, "GET", path, 503, {"error": "maintenance"}, headers={"X-Maintenance": "yes"})
        expect(f"GET {path}: X-Response-Time-ms is there", "X-Response-Time-ms" in response.headers, True)
    expect_answer(program, "GET", "/square/2", 200, {"square": 4})


@exercise(
    6, "a", 'Register a handler for 404. Respond with `{"error": "nothing at /nope"}`, where `/nope` is the path.',
    "errorhandler takes a status code. A handler can use request.path, because the request's context is still current.",
    "wsgi_core/errors.py; flask/sansio/app.py: App._find_error_handler",
)  # fmt: skip
def _(program: Program) -> None:
    expect_answer(program, "GET", "/nope", 404, {"error": "nothing at /nope"})
    expect_answer(program, "GET", "/sum", 405, {"error": "Method Not Allowed"})


@exercise(
    6, "b", "Give the app an attribute `propagate_exceptions`, False at first. If it is true, an exception without a"
    " handler is raised to the server, and no 500 is sent.",
    "handle_exception is called for an exception that has no handler. Raise the exception again there, before it is"
    " logged.",
    "wsgi_core/errors.py: handle_exception; flask/app.py: Flask.handle_exception",
)  # fmt: skip
def _(program: Program) -> None:
    app = program.application
    app.route("/fails")(lambda: 1 // 0)
    app.propagate_exceptions = getattr(app, "propagate_exceptions", None)
    expect("propagate_exceptions at first", app.propagate_exceptions, False)
    expect_answer(program, "GET", "/fails", 500)
    app.propagate_exceptions = True
    program.record_request("GET", "/fails")
    try:
        program.client.get("/fails")
    except ZeroDivisionError:
        return
    raise NotYet("GET /fails: with propagate_exceptions, the ZeroDivisionError must reach the caller.")


@exercise(
    7, "a", "Give Blueprint a decorator `before_request`. The decorated functions run only before the blueprint's own"
    " views.",
    "Keep the functions in the blueprint. When the app registers the blueprint, wrap each of the blueprint's views.",
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
    7, "b", "Add the signal `request_started`. If it has receivers, send it before the hooks, with the app as sender.",
    "Create it in the same way as request_finished, and send it at the beginning of dispatch_request.",
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
    8, "b", 'If a request has more than 100 rows, respond with 413 and `{"error": "at most 100 rows"}`. 100 rows are'
    ' still predicted.',
    "Check the result of request.get_json() before you pass it to the model. A view may return a dict and a status.",
    "wsgi_core/inference/model.py: Model.predict",
)  # fmt: skip
def _(program: Program) -> None:
    row = {"tenure_months": 5, "monthly_charges": 85.5, "total_charges": 430,
           "contract_month_to_month": 1, "has_fiber": 1}  # fmt: skip
    expect_answer(program, "POST", "/predict", 413, {"error": "at most 100 rows"}, json=[row] * 101)
    expect_answer(program, "POST", "/predict", 200, json=[row] * 100)
    expect_answer(program, "POST", "/predict", 200, json=row)


@exercise(
    9, "a", "Add `GET /hello/<name>`, which renders a template: `<p>Hello, Ada!</p>`. Markup in the name is escaped.",
    "render_template_string takes the template and its variables. It escapes markup in the variables.",
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
