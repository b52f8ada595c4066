"""The data classes of a trace: events, snapshots and source locations.

Two events are equal if their kind, name and detail are equal. The other fields are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# The group of each kind of event. All kinds of a group are shown in the same colour.
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
    """A function, and the line of the function that a call has reached.

    filename: the path that Python uses
    file: the short path that is shown
    name: the function's qualified name
    first, last: the function's first and last line
    line: the line that the call has reached
    """

    filename: str
    file: str
    name: str
    first: int
    last: int
    line: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state at one event. All values are strings that are ready to be shown.

    locations: the calls of the framework and of watched functions that lead to the event, the outermost first
    contexts: the request contexts and the application contexts that are pushed
    request, session: None if there is no request context
    g: None if there is no application context
    hooks: the kind and the name of each hook of the request that is known at this event, in the order of execution
    response: None if there is no response yet
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
    """One thing that happened to a request.

    kind: a key of `GROUPS`
    name: the name of the hook, view, signal, rule, exception, or other subject of the event
    detail: more about the event, such as what the function received, or how the function ended
    file, line: where the event's function is defined
    start_us: the microseconds from the start of the recording to the start of the event
    duration_us: the microseconds from the start to the end of the event
    depth: the number of enclosing events
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
        """The group of the event's kind. Each group has a colour."""
        return GROUPS[self.kind]

    @property
    def location(self) -> str:
        """File and line of the event's function. Empty if the event has no function, such as an event of the server."""
        return f"{self.file}:{self.line}" if self.file else ""

    def add_detail(self, detail: str) -> None:
        """Append to the detail. A semicolon separates the parts of a detail."""
        self.detail = f"{self.detail}; {detail}" if self.detail else detail

    def __str__(self) -> str:
        text = f"{self.kind}: {self.name}" if self.name else self.kind
        return f"{text} ({self.detail})" if self.detail else text


@dataclass(slots=True)
class Trace:
    """The record of one request to one app: the events, the response, and the exception if the app raised one."""

    label: str
    events: list[Event]
    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    raised: BaseException | None = None

    @property
    def duration_us(self) -> float:
        """Microseconds from the start of the recording to the latest end of an event.

        The time that the tracer itself takes is included. The time that snapshots take is not included.
        """
        return max((event.start_us + event.duration_us for event in self.events), default=0.0)

    def __str__(self) -> str:
        return "".join(f"{event}\n" for event in self.events)
