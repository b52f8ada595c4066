"""For each kind of event: a sentence that explains the event, and the course chapter about the subject."""

from __future__ import annotations

from dataclasses import dataclass

# The course page for each subject.
CHAPTERS = {
    "protocol": "chapter_0", "response": "chapter_2", "routing": "chapter_3", "contexts": "chapter_4",
    "hooks": "chapter_5", "endings": "chapter_6", "signals and sessions": "chapter_7",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one kind of event. `subject` is a key of `CHAPTERS`."""

    sentence: str
    subject: str

    @property
    def page(self) -> str:
        """The path of the chapter's page on the documentation site."""
        return f"course/{CHAPTERS[self.subject]}.html"


def _table(*rows: tuple[str, str, str]) -> dict[str, Explanation]:
    return {kind: Explanation(sentence, subject) for kind, subject, sentence in rows}


EXPLANATIONS = _table(
    ("request received", "protocol", "The server calls the application with environ and start_response."),
    ("app context pushed", "contexts", "From here on, current_app and g can be used."),
    ("request context pushed", "contexts", "From here on, request and session can be used."),
    ("session opened", "signals and sessions", "The session is read from the request's cookie."),
    (
        "url matched", "routing",
        "Path and method are looked up in the URL map. If no rule matches, the error is kept, and raised only when"
        " the request is dispatched.",
    ),
    ("signal sent", "signals and sessions", "Each function that is connected to this signal is called."),
    ("url value preprocessor", "hooks", "This function may change the values in the URL before the hooks run."),
    (
        "before_request", "hooks",
        "A before_request function runs before the view. If it returns a value, the value becomes the response, and"
        " the view is not called.",
    ),
    ("view", "routing", "The view function runs. Its return value becomes the response."),
    ("error caught", "endings", "An exception was raised. The application looks for its error handler."),
    ("error handler", "endings", "The most specific error handler runs. Its return value becomes the response."),
    ("error unhandled", "endings", "No error handler matches the exception, so it becomes an internal server error."),
    ("error logged", "endings", "The traceback is written to the log; the client does not see it."),
    ("response made", "response", "The return value of the view or the handler is converted to a response object."),
    ("after_this_request", "hooks", "A function that was registered during this request gets the response."),
    (
        "after_request", "hooks",
        "An after_request function gets the response and returns a response. The last registered function runs first.",
    ),
    ("session saved", "signals and sessions", "The session is written into a cookie of the response."),
    ("response finalized", "hooks", "All after_request functions have run: the response is complete."),
    ("response started", "protocol", "The response gives its status and its headers to the server."),
    ("request teardown", "endings", "The request's teardown functions run now, even after an exception."),
    ("teardown_request", "endings", "A teardown function receives the unhandled exception, or None."),
    ("request context popped", "contexts", "From here on, request and session raise RuntimeError."),
    ("app teardown", "endings", "The application context's teardown functions run now, even after an exception."),
    ("teardown_appcontext", "endings", "A teardown function receives the unhandled exception, or None."),
    ("app context popped", "contexts", "From here on, current_app and g raise RuntimeError."),
    ("body chunk", "protocol", "The server takes one part of the body from the response and sends it."),
    ("body exhausted", "protocol", "The server asks for another part of the body, but the body has ended."),
    ("close", "protocol", "The server calls close() after the last part of the body, or after a disconnect."),
    ("close callback", "endings", "A function that was registered with call_on_close runs."),
    ("caller saw raised", "endings", "The exception reached the server, because the application did not handle it."),
    ("answer", "response", "The responses of the two frameworks are different."),
)  # fmt: skip
