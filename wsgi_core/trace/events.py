"""What a trace consists of: events, each with what happened, and apart from it where and when.

Two events are equal if the same thing happened: kind, name and detail count, nothing else does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# What a reader sees as one colour: the contexts, the app's own functions, and so on.
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
    """A line of a function, where one call stands: as ``filename`` is for Python, ``file`` is for people."""

    filename: str
    file: str
    name: str
    first: int
    last: int
    line: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state at one event. Values are texts, ready to be shown; None where there is no such object.

    locations: the calls that lead to the event, the outermost first. hooks: kind and name of all that the request
    will pass or has passed, as far as it is known yet, in their order.
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

    kind: one of `GROUPS`. name: which hook, view, signal, rule. detail: what it was given or how it ended.
    snapshot: what held then, if the recording was asked for that.
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
        """What two events are compared by."""
        return self.kind, self.name, self.detail

    @property
    def group(self) -> str:
        """The kind's family, for colours."""
        return GROUPS[self.kind]

    @property
    def location(self) -> str:
        """File and line of the function behind the event; empty for what the caller itself did."""
        return f"{self.file}:{self.line}" if self.file else ""

    def add_detail(self, detail: str) -> None:
        """Add to the detail."""
        self.detail = f"{self.detail}; {detail}" if self.detail else detail

    def __str__(self) -> str:
        text = f"{self.kind}: {self.name}" if self.name else self.kind
        return f"{text} ({self.detail})" if self.detail else text


@dataclass(slots=True)
class Trace:
    """All that was seen of one request to one app."""

    label: str
    events: list[Event]
    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    raised: BaseException | None = None

    @property
    def duration_us(self) -> float:
        """Microseconds from the first event's start to the last event's end, the tracer's time included."""
        return max((event.start_us + event.duration_us for event in self.events), default=0.0)

    def __str__(self) -> str:
        return "".join(f"{event}\n" for event in self.events)
