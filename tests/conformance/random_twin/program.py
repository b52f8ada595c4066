"""What a program is: an application and the requests to it, as data that says nothing of a framework.

Everything is frozen and prints as the Python that makes it, without what has its default: a failing program
can be copied from the terminal into the list of regressions.
"""

from __future__ import annotations

import typing as t
from dataclasses import MISSING, dataclass, field, fields

# A step of a function: the name of an operation in `ops.OPS`, or a tuple of the name and its arguments.
Op = str | tuple[t.Any, ...]

# Keyword arguments. A value that shall be a dictionary is in this form too.
Options = tuple[tuple[str, t.Any], ...]


class Brief:
    """Prints only the fields that differ from their defaults."""

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
    """A body that is made while it is sent.

    `chunks` of the generator's text, `fails_at` the number of the chunk in whose place it raises, `ops`
    what it does before its first chunk, `context` whether `stream_with_context` keeps the contexts for it.
    """

    chunks: tuple[str | bytes, ...] = ("one", "two")
    context: bool = False
    fails_at: int | None = None
    ops: tuple[Op, ...] = ()


@dataclass(frozen=True, repr=False)
class Func(Brief):
    """A hook, view, handler or receiver: its steps, then how it ends (a name in `ends.ENDS` or a body)."""

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
    """An error handler, for a status code or for the name of a class in `ends.ERRORS`.

    `everywhere`: a blueprint's, for the whole app.
    """

    key: int | str
    func: Func = field(default_factory=lambda: Func("text"))
    everywhere: bool = False


@dataclass(frozen=True, repr=False)
class View(Brief):
    """A view with its rules; a rule with options of its own is a pair. The view's options are for each rule."""

    rules: tuple[str | tuple[str, Options], ...] = ("/",)
    func: Func = field(default_factory=lambda: Func("text"))
    methods: tuple[str, ...] | None = None
    options: Options = ()


@dataclass(frozen=True, repr=False)
class LateRule(Brief):
    """A rule for the endpoint of the view number `view` of its scope, added after all views."""

    view: int = 0
    rule: str = "/"
    methods: tuple[str, ...] | None = None
    options: Options = ()


@dataclass(frozen=True, repr=False)
class Scope(Brief):
    """What an app and a blueprint both have."""

    views: tuple[View, ...] = ()
    hooks: tuple[Hook, ...] = ()
    handlers: tuple[Handler, ...] = ()
    mounts: tuple[Mount, ...] = ()
    prefix: str | None = None
    defaults: Options = ()
    late_rules: tuple[LateRule, ...] = ()


@dataclass(frozen=True, repr=False)
class Mount(Brief):
    """A blueprint in its parent: registered once, or again under another name with the options in `again`."""

    scope: Scope
    options: Options = ()
    again: Options | None = None


@dataclass(frozen=True, repr=False)
class Call(Brief):
    """A request: `path` as the client wrote it, `length` the declared length (None: the true one, "": none
    at all), `taken` the number of chunks after which the client goes away (None: it takes all)."""

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
    """An application and what is sent to it.

    `client` says who sends: None the bare WSGI protocol, else a test client, with the contexts of its last
    request preserved ("preserving") or not ("plain").
    """

    app: Scope = field(default_factory=Scope)
    calls: tuple[Call, ...] = (Call(),)
    config: Options = ()
    receivers: tuple[tuple[str, Func], ...] = ()
    client: str | None = None
    after_call: tuple[Op, ...] = ()
