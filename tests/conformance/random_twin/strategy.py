"""The Hypothesis strategy that draws programs.

Most parts of a drawn program are ordinary, so that most requests reach a view. The simplest value of a pool is the
first, because Hypothesis shrinks towards it.
"""

from __future__ import annotations

import re
import typing as t

from hypothesis import strategies as st

from .ends import ERRORS, RAISES, RETURNS
from .ops import OPS
from .program import Call, Func, Handler, Hook, LateRule, Mount, Op, Options, Program, Scope, Stream, View

Draw = t.Callable[[st.SearchStrategy[t.Any]], t.Any]

PERCENT = st.integers(0, 99)

RULES = (
    "/", "/a", "/a/", "/b", "/<x>", "/<int:n>", "/a/<x>", "/<path:p>", "/a/<int:n>/", "/<x>/a", "/<float:f>",
    "/<any(u, v):k>/", "/<uuid:u>", "/<string(length=2):x>", "/a/b/c", "/\u00e9", "/a/<path:p>/b", "/b|c", "/a//b",
    "/a.b/",
)  # fmt: skip
# Sets of rules of which several match the same path.
SHARED_RULES = (
    ("/a",),
    ("/a", "/b"),
    ("/a/", "/a"),
    ("/", "/a", "/a/"),
    ("/a/b", "//a/b", "/a//b"),
    ("/<x>", "/<int:n>", "/7"),
    ("/<x>", "/<string:x>", "/<path:x>"),
    ("/n/", "/n/<int:n>"),
    ("/a/<x>", "/<x>/a", "/a/a"),
)
DEFAULT_RULES = (("/n/", (("defaults", (("n", 1),)),)), "/n/<int:n>")
METHODS = (
    ("GET", "POST"),
    ("POST",),
    ("GET", "POST", "PUT"),
    ("PUT", "DELETE"),
    ("OPTIONS",),
    ("get", "OPTIONS"),
    ("HEAD",),
    (),
)
VIEW_OPTIONS: tuple[Options, ...] = (
    (("strict_slashes", False),),
    (("defaults", (("x", "default"),)),),
    (("defaults", (("n", 3),)),),
    (("provide_automatic_options", False),),
    (("provide_automatic_options", True),),
    (("merge_slashes", False),),
    (("redirect_to", "/b"),),
    (("alias", True),),
    (("build_only", True),),
    (("subdomain", "sub"),),
    (("subdomain", "<x>"),),
    (("host", "example.org"),),
)
PREFIXES = ("/p", "/", "/p/", "/<pre>", "/<int:m>/q", "/a", None)
ENDPOINTS = (
    "v0", "v1", ".v0", ".v1", "b0.v0", "b1.v0", "b0.b0.v0", "b0again.v0", "b0.b0again.v1", "..v0", "static", "nope",
)  # fmt: skip
URL_VALUES: tuple[Options, ...] = (
    (),
    (("x", "\u00e9/\u00fc ?"),),
    (("n", 3),),
    (("n", 1), ("q", (1, 2))),
    (("p", "a//b"), ("_anchor", "f g")),
    (("_external", True),),
    (("_scheme", "https"),),
    (("_scheme", "https"), ("_external", False)),
    (("_method", "POST"), ("x", None)),
)
CONFIG: tuple[tuple[str, tuple[t.Any, ...]], ...] = (
    ("SECRET_KEY", ("key", b"bytes")),
    ("TESTING", (True,)),
    ("DEBUG", (True,)),
    ("PROPAGATE_EXCEPTIONS", (True, False)),
    ("TRAP_HTTP_EXCEPTIONS", (True,)),
    ("TRAP_BAD_REQUEST_ERRORS", (True, False)),
    ("SESSION_REFRESH_EACH_REQUEST", (False,)),
    ("MAX_CONTENT_LENGTH", (4, 0, 100)),
    ("SERVER_NAME", ("localhost", "example.org:8080", "bad host")),
    ("APPLICATION_ROOT", ("/root", "/root/")),
    ("PREFERRED_URL_SCHEME", ("https",)),
    ("TRUSTED_HOSTS", (("localhost",), (".example.org",))),
    ("SESSION_COOKIE_NAME", ("other",)),
    ("SESSION_COOKIE_PATH", ("/p",)),
    ("SESSION_COOKIE_DOMAIN", ("localhost", "example.org")),
    ("SESSION_COOKIE_SECURE", (True,)),
    ("SESSION_COOKIE_HTTPONLY", (False,)),
    ("SESSION_COOKIE_SAMESITE", ("Lax", "Odd")),
    ("SESSION_COOKIE_PARTITIONED", (True,)),
    ("SECRET_KEY_FALLBACKS", (("old", "older"),)),
    ("PERMANENT_SESSION_LIFETIME", (60, 0, -1, 60.5)),
    ("MAX_FORM_MEMORY_SIZE", (2, None)),
    ("MAX_FORM_PARTS", (1,)),
    ("MAX_COOKIE_SIZE", (60, 0)),
    ("PROVIDE_AUTOMATIC_OPTIONS", (False,)),
    # Names in lower case are arguments of the app's class.
    ("subdomain_matching", (True,)),
    ("host_matching", (True,)),
)

BODIES: tuple[tuple[bytes, str | None], ...] = (
    (b'{"a": 1}', "application/json"),
    (b"{bad", "application/json"),
    (b"NaN", "application/vnd.x+json; charset=utf-8"),
    (b"\xff", "application/json"),
    (b"a=1&b=%FF", "application/x-www-form-urlencoded"),
    (b"raw bytes", None),
    (b'{"a": 1}', "text/plain"),
    (
        b'--B\r\nContent-Disposition: form-data; name="a"; filename="f"\r\n\r\nfile\r\n'
        b'--B\r\nContent-Disposition: form-data; name="b"\r\n\r\n2\r\n--B--\r\n',
        "multipart/form-data; boundary=B",
    ),
    (b"no parts", "multipart/form-data; boundary=B"),
)
LENGTHS = ("", "0", "3", "9999", "-1", "x", "\u0663", "99999999", " 3", "+3", "003", "3, 3")
ENVIRONS: tuple[Options, ...] = (
    (("HTTP_HOST", "example.org"),),
    (("HTTP_HOST", "sub.localhost"),),
    (("HTTP_HOST", "sub.example.org:8080"),),
    (("HTTP_HOST", "LOCALHOST:80"),),
    (("HTTP_HOST", "bad host"),),
    (("HTTP_HOST", "[::1]:8000"),),
    (("HTTP_HOST", ""),),
    (("HTTP_HOST", None),),
    (("HTTP_HOST", "localhost:x"),),
    (("HTTP_COOKIE", "session=bad; a=1"),),
    (("HTTP_COOKIE", "sessions=1; other"),),
    (("SCRIPT_NAME", "/root"),),
    (("PATH_INFO", ""),),
    (("PATH_INFO", "a"),),
    (("PATH_INFO", "//a"),),
    (("PATH_INFO", None),),
    (("wsgi.url_scheme", "https"),),
    (("wsgi.input_terminated", True),),
    (("HTTP_TRANSFER_ENCODING", "chunked"),),
    (("HTTP_UPGRADE", "websocket"), ("HTTP_CONNECTION", "Upgrade")),
    (("HTTP_IF_NONE_MATCH", "*"),),
    (("HTTP_RANGE", "bytes=1-2"),),
    (("SERVER_NAME", "[::1]"), ("SERVER_PORT", "")),
    (("QUERY_STRING", None),),
)
CLIENT_METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "get", "ODD", "")
SAMPLES = {"int": "3", "float": "1.5", "path": "p/q", "any": "u", "uuid": "00000000-0000-0000-0000-000000000001"}
VARIABLE = re.compile(r"<(?:(\w+)(?:\(.*?\))?:)?\w+>")
ODD_PATHS = (
    "/", "/a", "/a/", "/x", "/7", "/p/a", "//a", "/a//b", "/%C3%A9", "/%ff", "/n/1", "/n/", "/a/../b", "/uv", "/a%2Fb",
)  # fmt: skip
QUERIES = ("a=1&b=2", "a=%ff&a", "x=\u00e9")

HOOKS = (
    "before_request", "after_request", "teardown_request", "url_value_preprocessor", "url_defaults",
    "context_processor",
)  # fmt: skip
APP_HOOKS = (*HOOKS, "teardown_appcontext", "url_build_error")
BLUEPRINT_HOOKS = (
    *HOOKS, "before_app_request", "after_app_request", "teardown_app_request", "app_url_value_preprocessor",
    "app_url_defaults", "app_context_processor",
)  # fmt: skip
SIGNALS = (
    "request_started", "request_finished", "request_tearing_down", "got_request_exception", "appcontext_pushed",
    "appcontext_popped", "appcontext_tearing_down", "message_flashed", "template_rendered", "before_render_template",
)  # fmt: skip
HANDLER_CODES: tuple[int | str, ...] = (404, 500, 400, 405, 413, 415, 418, 410, 401, *ERRORS)

# Flask calls these functions directly, so they cannot be async functions.
NEVER_ASYNC = {
    "url_value_preprocessor", "app_url_value_preprocessor", "url_defaults", "app_url_defaults", "context_processor",
    "app_context_processor", "url_build_error",
}  # fmt: skip

OPS_WITH_ARGUMENTS = {
    "after this", "app context", "request context", "dispatch", "preprocess", "client", "copied context", "try",
    "abort", "url_for",
}  # fmt: skip
RARE_OPS = {"template", "leave a context"}
RESPONSE_OPS = (*(name for name in OPS if name.startswith("r ")), "r keep", "r keep")
# These operations may raise an exception, which ends the request. So most of them are drawn inside of "try".
RAISING = {
    "args missing", "form missing", "files missing", "json", "session bad", "session item", "session delete",
    "session large", "g missing", "g pop", "setup", "not found", "abort", "url_for",
}  # fmt: skip
PLAIN_OPS = tuple(name for name in OPS if name not in OPS_WITH_ARGUMENTS | RARE_OPS and not name.startswith("r "))


def _pool(*names: str) -> st.SearchStrategy[t.Any]:
    return st.sampled_from(names)


_plain_op, _response_op, _rare_op = _pool(*PLAIN_OPS), _pool(*RESPONSE_OPS), _pool(*sorted(RARE_OPS))
_late_op = _pool("kept on close", "kept data")
_op_with_arguments = _pool(*sorted(OPS_WITH_ARGUMENTS))
_any_return, _any_raise = _pool(*RETURNS), _pool(*RAISES)
_shared_rules = st.sampled_from(SHARED_RULES)
_rule, _method_set, _view_options = _pool(*RULES), st.sampled_from(METHODS), st.sampled_from(VIEW_OPTIONS)
_endpoint, _url_values, _odd_path = _pool(*ENDPOINTS), st.sampled_from(URL_VALUES), _pool(*ODD_PATHS)
_when, _code = _pool("now", "thread", "later"), st.sampled_from((404, 400, 500, 405))
_stream_chunks = st.sampled_from((("one", "two"), ("one", b"two"), (), ("",), ("a", "", "b")))
_stream_failure = st.sampled_from((None, 0, 1, 2))
_prefix, _defaults = st.sampled_from(PREFIXES), st.sampled_from(((), (("x", "bp"),), (("n", 9),)))
_small, _number_of_calls = st.integers(0, 2), st.integers(1, 4)
_handler_key = st.sampled_from(HANDLER_CODES)
_config_entry = st.sampled_from([(key, value) for key, values in CONFIG for value in values])
_body, _length, _environ = st.sampled_from(BODIES), st.sampled_from(LENGTHS), st.sampled_from(ENVIRONS)
_client_method, _query, _taken = _pool(*CLIENT_METHODS), _pool(*QUERIES), st.sampled_from((0, 1, 2))
_signal, _driver = _pool(*SIGNALS), st.sampled_from(("plain", "preserving"))


def _chance(draw: Draw, percent: int) -> bool:
    """Return True in `percent` % of all draws. Hypothesis shrinks towards False."""
    return bool(draw(PERCENT) >= 100 - percent)


def _op(draw: Draw, deep: int) -> Op:
    roll = draw(PERCENT)
    if roll < 82 or deep > 1:
        step: Op = draw(_rare_op if roll == 0 else _plain_op)
    else:
        step = _with_arguments(draw, draw(_op_with_arguments), deep + 1)
    name = step if isinstance(step, str) else step[0]
    return ("try", step) if name in RAISING and roll % 5 else step


def _with_arguments(draw: Draw, name: str, deep: int) -> Op:
    match name:
        case "after this":
            return (name, _hook_func(draw, "after_request", deep))
        case "app context" | "request context" | "copied context":
            first = {"app context": (), "request context": (_odd_path,), "copied context": (_when,)}[name]
            return (name, *(draw(each) for each in first), _ops(draw, deep))
        case "dispatch" | "preprocess" | "client":
            return (name, draw(_odd_path))
        case "abort":
            return (name, draw(_code))
        case "url_for":
            return (name, draw(_endpoint), draw(_url_values))
        case _:
            return (name, *_ops(draw, deep))


def _ops(draw: Draw, deep: int = 0, most: int = 2) -> tuple[Op, ...]:
    return tuple(_op(draw, deep) for _ in range(draw(_small) if most == 2 else most))


def _stream(draw: Draw, deep: int) -> Stream:
    ops = _ops(draw, deep + 1) if _chance(draw, 40) else ()
    return Stream(draw(_stream_chunks), _chance(draw, 60), draw(_stream_failure), ops)


def _end(draw: Draw, usual: str, percent: int, deep: int) -> str | Stream:
    """Return `usual` in `percent` % of all draws, otherwise any return value, error or stream."""
    roll = draw(PERCENT)
    rest = (roll - percent) / (100 - percent)
    if roll < percent:
        return usual
    if rest < 0.5:
        return t.cast(str, draw(_any_return))
    return t.cast(str, draw(_any_raise)) if rest < 0.85 else _stream(draw, deep)


_USUAL_ENDS = {
    "after_request": ("given", 80),
    "after_app_request": ("given", 80),
    "view": ("text", 25),
    "handler": ("described", 45),
    "receiver": ("nothing", 92),
}


def _hook_func(draw: Draw, kind: str, deep: int = 0) -> Func:
    usual, percent = _USUAL_ENDS.get(kind, ("nothing", 82))
    ops = _ops(draw, deep) if _chance(draw, 60) else ()
    if kind == "receiver":
        ops = (("try", *ops),)
    if kind.startswith("teardown") and _chance(draw, 20):
        ops += (draw(_late_op),)
    if kind.startswith("after") and _chance(draw, 40):
        ops += (draw(_response_op),)
    return Func(_end(draw, usual, percent, deep), ops, kind not in NEVER_ASYNC and _chance(draw, 2))


def _view(draw: Draw, nested: bool) -> View:
    roll = draw(PERCENT)
    rules: tuple[t.Any, ...] = DEFAULT_RULES if roll >= 95 else ("",) if nested and roll >= 85 else (draw(_rule),)
    if _chance(draw, 15):
        rules += (draw(_rule),)
    methods = draw(_method_set) if _chance(draw, 30) else None
    options = draw(_view_options) if _chance(draw, 15) else ()
    return View(rules, _hook_func(draw, "view"), methods, options)


def _views_and_late_rules(draw: Draw, nested: bool) -> tuple[tuple[View, ...], tuple[LateRule, ...]]:
    """Draw one or two views or, in a quarter of all draws, several views that share paths, and rules added later."""
    if not _chance(draw, 25):
        return tuple(_view(draw, nested) for _ in range(1 + _chance(draw, 50))), ()
    rule = st.sampled_from(draw(_shared_rules))
    views = tuple(_sharing_view(draw, rule) for _ in range(2 + draw(_small)))
    late = tuple(_late_rule(draw, rule, len(views)) for _ in range(draw(_small)))
    return views, late


def _sharing_view(draw: Draw, rule: st.SearchStrategy[str]) -> View:
    rules = tuple(draw(rule) for _ in range(1 + draw(_small)))
    methods = draw(_method_set) if _chance(draw, 40) else None
    return View(rules, _hook_func(draw, "view"), methods, draw(_view_options) if _chance(draw, 15) else ())


def _late_rule(draw: Draw, rule: st.SearchStrategy[str], views: int) -> LateRule:
    methods = draw(_method_set) if _chance(draw, 40) else None
    options = draw(_view_options) if _chance(draw, 15) else ()
    return LateRule(draw(st.integers(0, views - 1)), draw(rule), methods, options)


def _handler(draw: Draw, in_blueprint: bool) -> Handler:
    return Handler(draw(_handler_key), _hook_func(draw, "handler"), in_blueprint and _chance(draw, 20))


_app_hook, _blueprint_hook = _pool(*APP_HOOKS), _pool(*BLUEPRINT_HOOKS)


def _hook(draw: Draw, in_blueprint: bool) -> Hook:
    kind = draw(_blueprint_hook if in_blueprint else _app_hook)
    return Hook(kind, _hook_func(draw, kind))


_SIZES = {0: st.integers(0, 5), 1: st.integers(0, 3), 2: st.integers(0, 2), 3: st.integers(0, 2)}


def _scope(draw: Draw, level: int = 0) -> Scope:
    """Draw the contents of the app (level 0) or of a blueprint. Blueprints are nested down to level 3."""
    nested = level > 0
    views, late = _views_and_late_rules(draw, nested)
    hooks = tuple(_hook(draw, nested) for _ in range(draw(_SIZES[level])))
    handlers = tuple(_handler(draw, nested) for _ in range(draw(_small)))
    mounts = tuple(_mount(draw, level + 1) for _ in range(_number_of_mounts(draw, level)))
    if not nested:
        return Scope(views, hooks, handlers, mounts, late_rules=late)
    defaults = draw(_defaults) if _chance(draw, 15) else ()
    return Scope(views, hooks, handlers, mounts, draw(_prefix), defaults, late)


def _number_of_mounts(draw: Draw, level: int) -> int:
    if level == 3 or not _chance(draw, (50, 30, 25)[level]):
        return 0
    return 1 + _chance(draw, 20)


def _mount_options(draw: Draw) -> Options:
    prefix = (("url_prefix", draw(_prefix)),) if _chance(draw, 60) else ()
    subdomain = (("subdomain", "sub"),) if _chance(draw, 10) else ()
    return prefix + subdomain + ((("url_defaults", (("x", "again"),)),) if _chance(draw, 20) else ())


def _mount(draw: Draw, level: int) -> Mount:
    scope = _scope(draw, level)
    options = _mount_options(draw) if _chance(draw, 15) else ()
    return Mount(scope, options, _mount_options(draw) if _chance(draw, 20) else None)


def paths_of(scope: Scope, prefix: str = "") -> list[str]:
    """Return a path for each rule in `scope`, with a sample value for each variable."""
    found = []
    for view in (*scope.views, *(View((late.rule,)) for late in scope.late_rules)):
        for rule in view.rules:
            text = rule if isinstance(rule, str) else rule[0]
            found.append(VARIABLE.sub(lambda match: SAMPLES.get(match[1] or "", "xy"), _join(prefix, text)) or "/")
    for mount in scope.mounts:
        for options in (mount.options, *([mount.again] if mount.again is not None else [])):
            own = dict(options).get("url_prefix") or mount.scope.prefix or ""
            found += paths_of(mount.scope, _join(prefix, own))
    return found


def _join(prefix: str, rest: str) -> str:
    return f"{prefix.rstrip('/')}/{rest.lstrip('/')}" if rest else prefix


def _path(draw: Draw, paths: list[str]) -> str:
    roll = draw(PERCENT)
    if roll >= 85:
        return t.cast(str, draw(_odd_path))
    path: str = paths[roll % len(paths)]
    return path if roll < 65 else f"{path}/" if roll < 75 else path.rstrip("/")


def _call(draw: Draw, paths: list[str]) -> Call:
    path = _path(draw, paths)
    method = draw(_client_method) if _chance(draw, 35) else "GET"
    body, content_type = draw(_body) if _chance(draw, 40) else (b"", None)
    length = draw(_length) if _chance(draw, 12) else None
    query = draw(_query) if _chance(draw, 15) else ""
    environ = draw(_environ) if _chance(draw, 15) else ()
    taken = draw(_taken) if _chance(draw, 15) else None
    return Call(path, method, query, body, content_type, length, environ, taken)


def _config(draw: Draw) -> Options:
    entries: dict[str, t.Any] = {}
    if not _chance(draw, 20):
        entries["SECRET_KEY"] = "key"
    for _ in range(draw(_SIZES[1]) if _chance(draw, 70) else 0):
        key, value = draw(_config_entry)
        entries[key] = value
    return tuple(entries.items())


@st.composite
def programs(draw: Draw) -> Program:
    """Draw a program."""
    app = _scope(draw)
    paths = paths_of(app)
    calls = tuple(_call(draw, paths) for _ in range(draw(_number_of_calls)))
    receivers = tuple((draw(_signal), _hook_func(draw, "receiver")) for _ in range(draw(_small)))
    client = draw(_driver) if _chance(draw, 25) else None
    after = (("try", *_ops(draw)),) if _chance(draw, 15) else ()
    return Program(app, calls, _config(draw), receivers if _chance(draw, 50) else (), client, after)
