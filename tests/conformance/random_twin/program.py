"""The classes of a program: an application and its requests, as data that does not depend on a framework.

All classes are frozen. Their `repr` is Python code that makes an equal object, without fields that have their default.
So a failing program can be copied from the terminal into the list of regressions.
"""

from __future__ import annotations

import typing as t
from dataclasses import MISSING, dataclass, field, fields

# A step of a function: the name of an operation in `ops.OPS`, or a tuple of the name and its arguments.
Op = str | tuple[t.Any, ...]

# Keyword arguments. A value that stands for a dictionary has this form, too.
Options = tuple[tuple[str, t.Any], ...]


class Brief:
    """Base of a dataclass whose `repr` has only the fields that differ from their defaults."""

    def __repr__(self) -> str:
        shown = []
        for each in fields(self):  # type: ignore[arg-type]
            default = each.default if each.default_factory is MISSING else each.default_factory()
            value = getattr(self, each.name)
            if default is MISSING or value != default:
                shown.append(f"{each.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, repr=False)
class Stream(Brief):
    """A body that is a generator.

    It performs `ops` and then yields `chunks`. Instead of the chunk number `fails_at`, it raises an exception. With
    `context`, `stream_with_context` keeps the contexts for it.
    """

    chunks: tuple[str | bytes, ...] = ("one", "two")
    context: bool = False
    fails_at: int | None = None
    ops: tuple[Op, ...] = ()


@dataclass(frozen=True, repr=False)
class Func(Brief):
    """A hook, view, handler or receiver: its steps, and how it ends (a name in `ends.ENDS`, or a `Stream`)."""

    end: str | Stream = "nothing"
    ops: tuple[Op, ...] = ()
    is_async: bool = False


@dataclass(frozen=True, repr=False)
class Hook(Brief):
    """A function and the name of the decorator that registers it."""

    kind: str
    func: Func = field(default_factory=Func)


@dataclass(frozen=True, repr=False)
class Handler(Brief):
    """An error handler for a status code, or for a class by its name in `ends.ERRORS`.

    With `everywhere`, a blueprint registers it for the whole app.
    """

    key: int | str
    func: Func = field(default_factory=lambda: Func("text"))
    everywhere: bool = False


@dataclass(frozen=True, repr=False)
class View(Brief):
    """A view with its rules. A rule with its own options is a pair. `options` apply to every rule."""

    rules: tuple[str | tuple[str, Options], ...] = ("/",)
    func: Func = field(default_factory=lambda: Func("text"))
    methods: tuple[str, ...] | None = None
    options: Options = ()


@dataclass(frozen=True, repr=False)
class LateRule(Brief):
    """A rule that is added after all views, for the endpoint of view number `view` in the same scope."""

    view: int = 0
    rule: str = "/"
    methods: tuple[str, ...] | None = None
    options: Options = ()


@dataclass(frozen=True, repr=False)
class Scope(Brief):
    """The contents of an app or of a blueprint."""

    views: tuple[View, ...] = ()
    hooks: tuple[Hook, ...] = ()
    handlers: tuple[Handler, ...] = ()
    mounts: tuple[Mount, ...] = ()
    prefix: str | None = None
    defaults: Options = ()
    late_rules: tuple[LateRule, ...] = ()


@dataclass(frozen=True, repr=False)
class Mount(Brief):
    """A blueprint in its parent. If `again` is not None, it is registered a second time with these options."""

    scope: Scope
    options: Options = ()
    again: Options | None = None


@dataclass(frozen=True, repr=False)
class Call(Brief):
    """A request. `path` is percent-encoded.

    `length` is the Content-Length: None for the true length, "" for no header. After `taken` chunks of the body, the
    client disconnects; with None, it reads the whole body.
    """

    path: str = "/"
    method: str = "GET"
    query: str = ""
    body: bytes = b""
    content_type: str | None = None
    length: str | None = None
    environ: Options = ()
    taken: int | None = None


@dataclass(frozen=True, repr=False)
class Program(Brief):
    """An application and its requests.

    With `client` None, requests are calls of the WSGI callable. Otherwise a test client sends them, which preserves the
    contexts of its last request ("preserving") or not ("plain").
    """

    app: Scope = field(default_factory=Scope)
    calls: tuple[Call, ...] = (Call(),)
    config: Options = ()
    receivers: tuple[tuple[str, Func], ...] = ()
    client: str | None = None
    after_call: tuple[Op, ...] = ()
