"""The functions whose calls become events: the phases of the framework, and the hooks of the app.

A phase is a function of the framework, such as `full_dispatch_request`. A hook is a function that the app registered.
Flask and the core use the same names, so one table describes the phases of both.
"""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import CodeType, FrameType

from blinker import Signal
from werkzeug.exceptions import HTTPException, SecurityError

from .events import Event
from .hooks import Hook, find_hooks, function_code, function_name


@dataclass(frozen=True, slots=True)
class Phase:
    """A function of the framework, and the event that a call of the function becomes.

    name: the function's name, such as `AppContext.push`
    kind: the kind of the event, or an empty string if a call is not an event
    describe: returns the name and the detail of the event, or None if this call is not an event
    at_end: whether the event is recorded when the function ends, not when it starts
    after: the name of a phase that this function calls, the inner phase (see below)
    inside: if not empty, only calls from the phase with this name are events
    note: the note of the event
    once: whether the event is recorded only once for each context; used only with `at_end`

    A phase without a kind is watched because it calls or registers hooks, or calls other phases.

    If `after` is set, the event is recorded when the inner phase ends, or when the function ends without calling the
    inner phase. If the function first calls another watched function, the event is recorded before this other call.

    If the push of a context fails before its event is recorded, there is no event. There is also no event if
    `finalize_request` raises an exception.
    """

    name: str
    kind: str = ""
    describe: Callable[[Call], tuple[str, str] | None] = lambda call: ("", "")
    at_end: bool = False
    after: str = ""
    inside: str = ""
    note: str = ""
    once: bool = False


@dataclass(slots=True)
class Call:
    """A call of a watched function.

    code, frame: None for some events of the server
    began: the time at which the call began (see `Recorder.now`)
    arguments: the arguments of a phase, by name
    event: the recorded event of the call
    pending: an event that will be recorded later, because `Phase.after` is set
    before: the response's headers when the call began
    value: what the function returned
    raised: whether the function raised an exception
    """

    code: CodeType | None
    phase: Phase
    began: int
    arguments: Mapping[str, t.Any] = field(default_factory=dict)
    event: Event | None = None
    pending: Event | None = None
    before: t.Any = None
    value: t.Any = None
    raised: bool = False
    frame: FrameType | None = None


# Functions for `Phase.describe`


def _named(value: t.Any) -> str:
    return type(value).__name__


def describe_error(call: Call) -> tuple[str, str]:
    """Return the event's name and detail for a call of one of the framework's error handlers.

    The name is the class name of the exception in the argument `e`. The detail is "".
    """
    return _named(call.arguments.get("e")), ""


def describe_exc(call: Call) -> tuple[str, str]:
    """Return the event's name and detail for a call of a teardown phase.

    The name is "". The detail says which exception the phase receives.
    """
    return "", receives(call.arguments.get("exc"))


def receives(error: t.Any) -> str:
    """Return a detail such as `receives ValueError`, or `receives None` if `error` is None."""
    return f"receives {_named(error) if isinstance(error, BaseException) else error}"


def describe_match(call: Call) -> tuple[str, str] | None:
    """Return the matched rule and its endpoint. If no rule matched, return "nothing" and the error.

    Return None if the host was refused before the match. Return two empty strings if there is no match and no error.
    """
    request = call.arguments["self"].request
    error = request.routing_exception
    if isinstance(error, SecurityError):
        return None
    if error is not None:
        return "nothing", f"{error.code} {_named(error)}" if isinstance(error, HTTPException) else _named(error)
    rule = request.url_rule
    return ("", "") if rule is None else (rule.rule, rule.endpoint)


def describe_response(call: Call) -> tuple[str, str]:
    """Return the status of the response that the phase returned, and an empty detail."""
    return getattr(call.value, "status", ""), ""


def describe_deferred_session(call: Call) -> tuple[str, str] | None:
    """Return an empty name and an empty detail if the session is opened later. Otherwise, return None."""
    return ("", "") if call.value else None


def describe_saved(call: Call) -> tuple[str, str] | None:
    """Return the event's name and detail for a call that saved the session, or None if the call is not recorded.

    The name is "". The detail lists the response headers that changed during the call. The call is recorded if a header
    changed, if an exception was raised, or if the app has its own `save_session`.
    """
    changed = {name for name, value in response_headers(call) if (name, value) not in call.before}
    if not changed and not call.raised and _is_frameworks_own(call):
        return None
    return "", ", ".join(sorted(changed))


def response_headers(call: Call) -> list[tuple[str, str]]:
    """Return the current headers of the response that is an argument of the call, or [] if there is no response."""
    return list(getattr(call.arguments.get("response"), "headers", ()))


def _is_frameworks_own(call: Call) -> bool:
    """Return whether the framework defines the method that was called.

    The method must be in the same file as the topmost base class of its object.
    """
    base = type(call.arguments["self"]).__mro__[-2]
    return call.code is not None and call.code.co_filename == sys.modules[base.__module__].__file__


def describe_signal(call: Call) -> tuple[str, str] | None:
    """Return the name of the signal, and a detail with the names of its receivers. `ignore_signal` is left out.

    Return None if the signal is muted or has no receiver.
    """
    signal: Signal = call.arguments["self"]
    if signal.is_muted:
        return None
    receivers = list(signal.receivers_for(call.arguments["sender"]))
    if not receivers:
        return None
    names = sorted(function_name(receiver) for receiver in receivers if receiver is not ignore_signal)
    return getattr(signal, "name", "unnamed").replace("-", "_"), f"to {', '.join(names)}" if names else ""


def ignore_signal(sender: t.Any, **kwargs: t.Any) -> None:
    """Do nothing. This function is connected as a receiver, because the core sends no signal without a receiver."""


def describe_automatic_options(call: Call) -> tuple[str, str]:
    """Return a fixed name and an empty detail. The framework itself responds to the OPTIONS request."""
    return "automatic OPTIONS", ""


APP_PHASES = (
    Phase("full_dispatch_request"),
    Phase("preprocess_request"),
    Phase("dispatch_request"),
    Phase("make_default_options_response", "view", describe_automatic_options, inside="dispatch_request"),
    Phase("handle_user_exception", "error caught", describe_error),
    Phase("handle_http_exception"),
    Phase("handle_exception", "error unhandled", describe_error),
    Phase("log_exception", "error logged"),
    Phase("finalize_request", "response finalized", describe_response, at_end=True),
    Phase("make_response", "response made", describe_response, at_end=True, inside="finalize_request"),
    Phase("process_response"),
    Phase("do_teardown_request", "request teardown", describe_exc),
    Phase("do_teardown_appcontext", "app teardown", describe_exc),
)
APP_CONTEXT_PHASES = (
    Phase("AppContext.push", "app context pushed"),
    Phase("AppContext.pop", "app context popped", after="do_teardown_appcontext"),
)
REQUEST_CONTEXT_PHASES = (
    Phase("RequestContext.push", "request context pushed", after="AppContext.push"),
    Phase("RequestContext.match_request", "url matched", describe_match, at_end=True),
    Phase("RequestContext.pop", "request context popped", after="do_teardown_request"),
)
SESSION_PHASES = (
    Phase("open_session", "session opened", at_end=True, inside="RequestContext.push", once=True),
    Phase(
        "supports_lazy_open", "session opened", describe_deferred_session, at_end=True, inside="RequestContext.push",
        once=True, note="deferred until it is first used",
    ),
    Phase("save_session", "session saved", describe_saved, at_end=True, inside="process_response"),
)  # fmt: skip
MERGED_CONTEXT_PHASES = (Phase("AppContext.match_request", "url matched", describe_match, at_end=True),)
MERGED_SESSION_PHASES = tuple(
    replace(phase, inside=phase.inside.replace("RequestContext", "AppContext")) for phase in SESSION_PHASES
)
SIGNAL_PHASE = Phase("send", "signal sent", describe_signal)

Roles = dict[int, list[Phase | Hook]]


class WatchList:
    """The functions to watch for one app: the phases of its framework, and its hooks. They are keyed by the id() of
    their code object.

    Raises TypeError if the app is neither a Flask app nor a wsgi_core app.
    """

    def __init__(self, app: t.Any) -> None:
        self._app = app
        self.roles: Roles = {}
        self.codes: dict[int, CodeType] = {}
        self.package, self.signals = "", list[Signal]()
        self.variables: tuple[ContextVar[t.Any], ...] = ()
        self._add_phases(app)
        for hook in find_hooks(app):
            self.add_hook(hook)

    def add_hook(self, hook: Hook) -> CodeType | None:
        """Watch a hook. Return its code object, or None if the hook is not written in Python."""
        code = function_code(hook.function)
        return None if code is None else self._add(code, hook)

    def is_foreign(self, call: Call) -> bool:
        """Return whether the call belongs to another app of the same framework."""
        subject = call.arguments.get("sender", call.arguments.get("self"))
        app = getattr(subject, "app", subject)
        return hasattr(app, "wsgi_app") and app is not self._app

    def _add(self, code: CodeType, role: Phase | Hook) -> CodeType:
        self.codes[id(code)] = code
        roles = self.roles.setdefault(id(code), [])
        if role not in roles:
            roles.append(role)
        return code

    def _add_methods(self, cls: type, phases: Iterable[Phase]) -> None:
        """Watch the method of each phase in the class and in all of its base classes."""
        for phase in phases:
            name = phase.name.rpartition(".")[2]
            for base in cls.__mro__:
                code = function_code(vars(base)[name]) if name in vars(base) else None
                if code is not None:
                    self._add(code, phase)

    def _add_phases(self, app: t.Any) -> None:
        module = _framework_module(type(app))
        self.package = module.__name__.partition(".")[0]
        # Flask 3.2 has a single context instead of two.
        merged = "RequestContext" not in vars(module)
        self.variables = module._cv_app, module._cv_app if merged else module._cv_request
        self.request: t.Any = sys.modules[self.package].request
        self._add_methods(type(app), APP_PHASES)
        self._add_methods(type(app.session_interface), MERGED_SESSION_PHASES if merged else SESSION_PHASES)
        for cls in _with_subclasses(module.AppContext):
            self._add_methods(cls, APP_CONTEXT_PHASES)
        for cls in _with_subclasses(module.AppContext if merged else module.RequestContext):
            self._add_methods(cls, MERGED_CONTEXT_PHASES if merged else REQUEST_CONTEXT_PHASES)
        self._add_methods(Signal, [SIGNAL_PHASE])
        signals = vars(sys.modules[f"{self.package}.signals"]).values()
        self.signals = [signal for signal in signals if isinstance(signal, Signal)]
        self._add_methods(app.response_class, [Phase("call_on_close")])
        late = function_code(sys.modules[self.package].after_this_request)
        assert late is not None
        self._add(late, Phase("after_this_request"))


def _framework_module(cls: type) -> t.Any:
    """Return the framework's module that defines the base class of the app.

    Raises TypeError if there is no such module.
    """
    for base in reversed(cls.__mro__):
        module: t.Any = sys.modules[base.__module__]
        if "wsgi_app" in vars(base) and hasattr(module, "AppContext"):
            return module
    raise TypeError(f"{cls.__name__} is neither a Flask app nor a wsgi_core app.")


def _with_subclasses(cls: type) -> Iterator[type]:
    yield cls
    subclasses: list[type] = cls.__subclasses__()
    for subclass in subclasses:
        yield from _with_subclasses(subclass)
