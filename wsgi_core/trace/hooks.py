"""Find the hooks of an app, and find the hook that a frame runs. A hook is a function that the app registered.

The interpreter reports only code objects, and functions from the same ``def`` statement share a code object. To find
the right function, `choose` also looks at the callers, the closure, ``self`` and the defaults of the frame.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import CodeType, FrameType

_VARARGS = 0x04
_GENERATOR = 0x20


@dataclass(frozen=True, slots=True)
class Hook:
    """A function that the app registered.

    phases: the names of the framework's functions that call the hook; a call from another function is not recorded
    scopes: the names of the blueprints for which the hook is registered, with an empty string for the app itself

    Some kinds of hooks, such as views, have no scopes.
    """

    kind: str
    name: str
    phases: tuple[str, ...]
    function: t.Any
    scopes: tuple[str, ...] = ()


# The functions that register a hook for the current request. For each: the kind and the phases of the hook.
REGISTERING = {
    "after_this_request": ("after_this_request", ("process_response",)),
    "call_on_close": ("close callback", ("close",)),
}

# Tables of hooks: {scope: [function]}.
_TABLES = {
    "url_value_preprocessors": ("url value preprocessor", ("preprocess_request",)),
    "before_request_funcs": ("before_request", ("preprocess_request",)),
    "after_request_funcs": ("after_request", ("process_response",)),
    "teardown_request_funcs": ("teardown_request", ("do_teardown_request",)),
}
_HANDLING = ("handle_user_exception", "handle_http_exception", "handle_exception")


def find_hooks(app: t.Any) -> Iterator[Hook]:
    """Yield the hooks of an app and of its blueprints.

    These are views, error handlers, URL value preprocessors, and functions that are registered with ``before_request``,
    ``after_request``, ``teardown_request`` or ``teardown_appcontext``. Other functions, such as context processors, are
    not recorded.
    """
    for table, (kind, phases) in _TABLES.items():
        yield from _find_scoped(kind, phases, getattr(app, table))
    for function in app.teardown_appcontext_funcs:
        yield Hook("teardown_appcontext", function_name(function), ("do_teardown_appcontext",), function)
    for endpoint, function in app.view_functions.items():
        yield Hook("view", endpoint, ("dispatch_request",), function)
    handlers = {
        scope: [function for classes in codes.values() for function in classes.values()]
        for scope, codes in app.error_handler_spec.items()
    }
    yield from _find_scoped("error handler", _HANDLING, handlers)


def _find_scoped(kind: str, phases: tuple[str, ...], table: Mapping[str | None, Iterable[t.Any]]) -> Iterator[Hook]:
    scopes: dict[int, tuple[t.Any, set[str]]] = {}
    for scope, functions in table.items():
        for function in functions:
            scopes.setdefault(id(function), (function, set()))[1].add(scope or "")
    for function, names in scopes.values():
        yield Hook(kind, function_name(function), phases, function, tuple(sorted(names)))


def unwrapped(function: t.Any) -> t.Any:
    """Return the function that this callable runs.

    The callable may be an asgiref wrapper, a partial or a bound method.
    """
    for attribute in ("awaitable", "func", "__func__"):
        inner = getattr(function, attribute, None)
        if callable(inner):
            return unwrapped(inner)
    return function


def function_code(function: t.Any) -> CodeType | None:
    """Return the code object that a call of `function` runs, or None if the function is not written in Python."""
    function = unwrapped(function)
    code = getattr(function, "__code__", None)
    if code is None and not isinstance(function, type):
        code = getattr(getattr(type(function), "__call__", None), "__code__", None)  # noqa: B004
    return code if isinstance(code, CodeType) else None


def function_name(function: t.Any) -> str:
    """Return the name of a function. If the object has no name, return the name of its class."""
    for candidate in (function, unwrapped(function)):
        name = getattr(candidate, "__name__", None)
        if isinstance(name, str):
            return name
    return type(function).__name__


def is_generator_function(code: CodeType) -> bool:
    """Return whether the code is that of a generator function.

    A call of a generator function runs none of its code. It only creates a generator.
    """
    return bool(code.co_flags & _GENERATOR)


def runs_function(frame: FrameType, function: t.Any) -> bool:
    """Return whether `frame` may be a call of `function`: both have the same ``self`` and the same closure.

    The frame must have the function's code object.
    """
    known = frame.f_locals
    owner = getattr(function, "__self__", None)
    inner = unwrapped(function)
    if not hasattr(inner, "__code__"):
        owner = inner
    if owner is not None and known.get(frame.f_code.co_varnames[0]) is not owner:
        return False
    cells = zip(frame.f_code.co_freevars, getattr(inner, "__closure__", None) or (), strict=False)
    return all(known.get(name) is _content(cell) for name, cell in cells)


def has_defaults(frame: FrameType, function: t.Any) -> bool:
    """Return whether, in `frame`, each parameter with a default has its default value.

    The frame must have the code object of `function`. Values are compared by identity.
    """
    inner = unwrapped(function)
    defaults = getattr(inner, "__defaults__", None) or ()
    code, known = frame.f_code, frame.f_locals
    names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    expected = {**dict(zip(names, defaults, strict=True)), **(getattr(inner, "__kwdefaults__", None) or {})}
    return all(known.get(name) is default for name, default in expected.items())


def _content(cell: t.Any) -> t.Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def first_exception(frame: FrameType) -> BaseException | None:
    """Return the first exception among the positional arguments of a call, or None.

    Error handlers and teardown functions receive an exception in this way.
    """
    code, known = frame.f_code, frame.f_locals
    named, behind = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    values = [known.get(name) for name in code.co_varnames[:named]]
    if code.co_flags & _VARARGS:
        values += known.get(code.co_varnames[behind], ())
    return next((value for value in values if isinstance(value, BaseException)), None)


def choose(hooks: Sequence[Hook], frame: FrameType, caller: FrameType | None, endpoint: str | None) -> Hook:
    """Return the hook that `frame` runs. Every hook in `hooks` has the frame's code object.

    `caller` is the frame of the framework's function that calls the hook. Its local variables often contain the hook.
    `endpoint` is the endpoint of the request. If several hooks match equally well, the name of the result joins their
    names with "or".
    """
    held = {id(value) for outer in (frame.f_back, caller) if outer is not None for value in outer.f_locals.values()}
    for fits in (
        lambda hook: id(hook.function) in held,
        lambda hook: runs_function(frame, hook.function),
        lambda hook: has_defaults(frame, hook.function),
        # Views that the conditions above do not tell apart still differ in their endpoints.
        lambda hook: hook.kind == "view" and hook.name == endpoint,
    ):
        hooks = [hook for hook in hooks if fits(hook)] or hooks
    names = " or ".join(sorted({hook.name for hook in hooks}))
    return replace(hooks[0], name=names)
