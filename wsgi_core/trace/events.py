"""The data classes of a trace: events, snapshots and source locations."""

from __future__ import annotations

from dataclasses import dataclass, field

# The group of each kind of event. A group has one colour on a page and in the terminal.
GROUPS = {
    "request received": "wsgi",
    "app context pushed": "context",
    "request context pushed": "context",
    "session opened": "session",
    "url matched": "routing",
    "signal sent": "signal",
    "url value preprocessor": "hook",
    "before_request": "hook",
    "view": "view",
    "error caught": "error",
    "error handler": "view",
    "error unhandled": "error",
    "error logged": "error",
    "response made": "response",
    "after_this_request": "hook",
    "after_request": "hook",
    "session saved": "session",
    "response finalized": "response",
    "response started": "wsgi",
    "request teardown": "context",
    "teardown_request": "hook",
    "request context popped": "context",
    "app teardown": "context",
    "teardown_appcontext": "hook",
    "app context popped": "context",
    "body chunk": "wsgi",
    "body exhausted": "wsgi",
    "close": "wsgi",
    "close callback": "hook",
    "caller saw raised": "error",
    "answer": "wsgi",
}


Values = dict[str, str]
HookName = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """A function, and the line that a call of the function has reached.

    filename: the path of the source file, as Python knows it
    file: a shorter path, which is shown to the user
    name: the function's qualified name
    first, last: the numbers of the function's first line and last line
    line: the number of the line that the call has reached
    """

    filename: str
    file: str
    name: str
    first: int
    last: int
    line: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state at one event, as strings that are ready to be shown.

    locations: the calls of the framework, of Werkzeug and of watched functions that led to the event, outermost first
    contexts: the stack of request contexts, and the stack of application contexts
    request, session: the values of both, or None if there is no request context
    g: the values of g, or None if there is no application context
    hooks: the kind and the name of each hook that is known to apply to the request, in the order of execution
    response: the status, the headers and the body, or None if there is no response yet
    """

    locations: tuple[SourceLocation, ...] = ()
    contexts: Values = field(default_factory=dict)
    request: Values | None = None
    session: Values | None = None
    g: Values | None = None
    hooks: tuple[HookName, ...] = ()
    response: Values | None = None


@dataclass(slots=True)
class Event:
    """One event of a request. Two events are equal if their kind, name and detail are equal.

    kind: a key of `GROUPS`
    name: the name of the event's subject, such as a hook, a view, a signal, a rule or an exception
    detail: more about the event, such as what the function received, or how the function ended
    file, line: where the event's function is defined
    start_us: the microseconds from the start of the recording to the start of the event
    duration_us: the microseconds from the start to the end of the event
    depth: the number of events that enclose this event
    note: a remark for the reader
    snapshot: the state at the event, or None if the recording takes no snapshots
    """

    kind: str
    name: str = ""
    detail: str = ""
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)
    start_us: float = field(default=0.0, compare=False)
    duration_us: float = field(default=0.0, compare=False)
    depth: int = field(default=0, compare=False)
    note: str = field(default="", compare=False)
    snapshot: Snapshot | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> tuple[str, str, str]:
        """The fields that are compared: kind, name and detail."""
        return self.kind, self.name, self.detail

    @property
    def group(self) -> str:
        """The group of the event's kind, which decides the colour of the event."""
        return GROUPS[self.kind]

    @property
    def location(self) -> str:
        """The file and the line of the event's function, such as ``app.py:12``.

        If the event has no function, the text is empty.
        """
        return f"{self.file}:{self.line}" if self.file else ""

    def add_detail(self, detail: str) -> None:
        """Append `detail` to the event's detail. A semicolon separates the two."""
        self.detail = f"{self.detail}; {detail}" if self.detail else detail

    def __str__(self) -> str:
        text = f"{self.kind}: {self.name}" if self.name else self.kind
        return f"{text} ({self.detail})" if self.detail else text


@dataclass(slots=True)
class Trace:
    """The record of one request to one app: the events, the response, and the exception that the app raised, if any."""

    label: str
    events: list[Event]
    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    raised: BaseException | None = None

    @property
    def duration_us(self) -> float:
        """Microseconds from the start of the recording to the latest end of an event.

        The time that the tracer takes is included, but not the time for snapshots.
        """
        return max((event.start_us + event.duration_us for event in self.events), default=0.0)

    def __str__(self) -> str:
        return "".join(f"{event}\n" for event in self.events)
