"""Random programs, and programs that once showed a difference, behave the same on Flask and on wsgi_core.

By default, only a few programs are drawn, so that the suite stays fast. ``RANDOM_TWIN_EXAMPLES=2000`` draws as many
as CI does. ``python -m tests.conformance.random_twin`` runs any number of programs, in several processes.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from tests.conformance.random_twin import many
from tests.conformance.random_twin.ends import ENDS
from tests.conformance.random_twin.ops import OPS
from tests.conformance.random_twin.program import (
    Call,
    Func,
    Handler,
    Hook,
    LateRule,
    Mount,
    Op,
    Options,
    Program,
    Scope,
    Stream,
    View,
)
from tests.conformance.random_twin.reduce import reduce
from tests.conformance.random_twin.run import difference, run_both
from tests.conformance.random_twin.strategy import (
    BODIES,
    LENGTHS,
    OPS_WITH_ARGUMENTS,
    PLAIN_OPS,
    RARE_OPS,
    RESPONSE_OPS,
    paths_of,
    programs,
)
from tests.conformance.random_twin.world import same_wording

EXAMPLES = int(os.environ.get("RANDOM_TWIN_EXAMPLES", "50"))

# If a request with an upload is rejected before its end, the file stays open on both sides.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def what_is_left_open_is_collected_here() -> Iterator[None]:
    yield
    gc.collect()


def assert_same(program: Program) -> None:
    """Fail with a reduced program if `program` shows a difference."""
    if difference(program) is not None:
        pytest.fail(many.explain(program) or "the difference went away", pytrace=False)


@settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(programs())
def test_any_program_runs_the_same_on_both(program: Program) -> None:
    assert_same(program)


# Programs that once differed, each with the reason.

REQUESTS = (
    Call(),
    Call(method="HEAD"),
    Call(method="POST", body=b"abc"),
    Call(method="OPTIONS"),
    Call("/a"),
    Call("/x/"),
    Call("/none"),
)
ONE_VIEW = (View(),)

TERMINATED, CHUNKED = ("wsgi.input_terminated", "1"), ("HTTP_TRANSFER_ENCODING", "chunked")
BODY_ENVIRONS = ((TERMINATED,), (CHUNKED,), (TERMINATED, CHUNKED))
BODY_STEPS = ("data", "data uncached", "text", "data or form", "json", "json forced", "form", "files", "stream start")

FOUND = {
    "of two rules for one path the one that was added later answered": Program(
        Scope((View(), View(("/b",))), late_rules=(LateRule(0, "/b"),)), (Call("/b"), Call("/b", "OPTIONS"))
    ),
    "a length of digits that aren't ASCII was taken for a number": Program(
        Scope(ONE_VIEW, (Hook("before_request", Func(ops=("data", "text"))),)), (Call(length="\u0663"),)
    ),
    "a response wasn't told that it was closed, if it asked after it was sent": Program(
        Scope(
            ONE_VIEW,
            (Hook("after_request", Func("given", ("r keep",))), Hook("teardown_request", Func(ops=("kept on close",)))),
        )
    ),
    "a redirect's Location wasn't a URI yet in after_request": Program(
        Scope((View(("/a/",)),), (Hook("after_request", Func("given")),)), (Call("/a", query="x=\u00e9"),)
    ),
    "an error without a body kept its length in after_request": Program(
        Scope((View(func=Func("Quiet")),), (Hook("after_request", Func("given")),))
    ),
    "a URL built in a request whose host was refused failed differently": Program(
        Scope(
            ONE_VIEW, (Hook("teardown_request", Func(ops=(("try", ("url_for", "v0")),))), Hook("url_defaults", Func()))
        ),
        config=(("TRUSTED_HOSTS", ("example.org",)),),
    ),
}


@pytest.mark.parametrize("program", FOUND.values(), ids=FOUND.keys())
def test_difference_once_found_is_gone(program: Program) -> None:
    assert_same(program)


# Each end and each operation alone, so that none depends on a random draw


@pytest.mark.parametrize(
    "config",
    [
        pytest.param((), id="plain"),
        pytest.param((("DEBUG", True), ("SECRET_KEY", "key")), id="debug", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("end", ENDS)
def test_view_that_ends_so_answers_the_same(end: str, config: tuple[tuple[str, object], ...]) -> None:
    scope = Scope((View(func=Func(end)), View(("/a/", "/<x>/"))), (Hook("teardown_request"),))
    for client in (None, "plain", "preserving"):
        assert_same(Program(scope, REQUESTS, config, client=client))


@pytest.mark.parametrize("kind", ["before_request", "after_request", "teardown_request", "teardown_appcontext"])
@pytest.mark.parametrize("end", ["nothing", "text", "given", "AppError", "abort 404", "Stop"])
@pytest.mark.parametrize("propagate", [True, pytest.param(False, marks=pytest.mark.long)])
def test_hook_that_ends_so_leads_to_the_same(kind: str, end: str, propagate: bool) -> None:
    hooks = (Hook("after_request", Func("given")), Hook(kind, Func(end)), Hook("teardown_request"))
    handlers = (Handler(404, Func("described")), Handler(500, Func("described")))
    config = (("PROPAGATE_EXCEPTIONS", propagate),)
    for app in (Scope(ONE_VIEW, hooks), Scope(ONE_VIEW, hooks, handlers)):
        assert_same(Program(app, REQUESTS, config))
        assert_same(Program(Scope(mounts=(Mount(app),)), REQUESTS, config))


@pytest.mark.parametrize("key", [pytest.param(None, marks=pytest.mark.long), "key"])
@pytest.mark.parametrize("name", [*PLAIN_OPS, *dict.fromkeys(RESPONSE_OPS)])
def test_step_does_the_same_in_every_hook(name: str, key: str | None) -> None:
    kinds = ("before_request", "after_request", "teardown_request")
    hooks = tuple(Hook(kind, Func("given" if kind == "after_request" else "nothing", (name,))) for kind in kinds)
    for hook in hooks:
        assert_same(Program(Scope(ONE_VIEW, (hook,)), REQUESTS, (("SECRET_KEY", key),)))


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("fails_at", [None, 0, 1, 2])
@pytest.mark.parametrize("taken", [None, 0, 1])
def test_stream_ends_the_same(context: bool, fails_at: int | None, taken: int | None) -> None:
    body = Stream(("one", b"two"), context, fails_at, (("try", "method"), ("try", "session read")))
    scope = Scope((View(func=Func(body)),), (Hook("teardown_request"), Hook("teardown_appcontext")))
    assert_same(Program(scope, (Call(taken=taken), Call(method="HEAD", taken=taken)), (("SECRET_KEY", "key"),)))


@pytest.mark.parametrize("limit", [None, 4, *(pytest.param(limit, marks=pytest.mark.long) for limit in (0, 100))])
@pytest.mark.parametrize(
    "environ",
    [
        pytest.param((), id="plain"),
        pytest.param(BODY_ENVIRONS[0], id="terminated"),
        pytest.param(BODY_ENVIRONS[1], id="chunked", marks=pytest.mark.long),
        pytest.param(BODY_ENVIRONS[2], id="both", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("step", BODY_STEPS)
def test_body_read_so_is_the_same(step: str, environ: Options, limit: int | None) -> None:
    lengths = (None, *LENGTHS)
    calls = tuple(Call("/", "POST", "", body, kind, length, environ) for body, kind in BODIES for length in lengths)
    steps: tuple[Op, ...] = (("try", step), ("try", "data"), ("try", step), ("try", "form"))
    # After the stream of a terminated body was read up to the limit, Flask raises a 413, and the core returns b"".
    steps += () if limit is not None and TERMINATED in environ else (("try", "stream"),)
    scope = Scope((View(func=Func("text", steps), methods=("POST",)),))
    assert_same(Program(scope, calls, (("MAX_CONTENT_LENGTH", limit),)))


# The twin itself


def test_every_step_can_be_drawn() -> None:
    assert set(OPS) == {*PLAIN_OPS, *RESPONSE_OPS, *RARE_OPS, *OPS_WITH_ARGUMENTS}


def test_events_show_the_request_from_outside_and_inside() -> None:
    program = Program(Scope(ONE_VIEW, (Hook("before_request"), Hook("teardown_request", Func("AppError")))))
    on_flask, on_core = run_both(program)
    assert on_flask == on_core
    assert [event[:2] for event in on_core] == [
        ("before_request 0", []),
        ("v0", []),
        ("start_response", "200 OK"),
        ("teardown_request 1", [None]),
        ("app", "escaped"),
        ("left over", False),
    ]


def test_a_difference_is_shown_with_what_led_to_it() -> None:
    program = Program(Scope(ONE_VIEW))
    on_flask, on_core = run_both(program)
    report = difference(program, lambda _: (on_flask, [*on_core[:1], ("odd",)]))
    assert report is not None
    assert "event 1 differs" in report
    assert "wsgi_core ('odd',)" in report
    assert difference(program, lambda _: (on_flask, on_core[:-1])) is not None


def test_a_failing_program_becomes_small() -> None:
    large = Program(Scope((View(("/", "/a"), Func("dict", ("g set",))), View()), (Hook("before_request"),)), REQUESTS)
    small = reduce(large, lambda program: "g set" in repr(program))
    assert small == Program(Scope((View(func=Func(ops=("g set",))),)))


def test_a_program_prints_as_what_makes_it() -> None:
    program = FOUND["a redirect's Location wasn't a URI yet in after_request"]
    assert eval(repr(program)) == program


def test_paths_fit_the_rules_of_nested_blueprints() -> None:
    inner = Scope((View(("/<int:n>",)),), prefix="/in")
    outer = Scope((View(("",)),), mounts=(Mount(inner, again=(("url_prefix", "/again"),)),), prefix="/<x>")
    assert paths_of(Scope((View(("/",)),), mounts=(Mount(outer),))) == ["/", "/xy", "/xy/in/3", "/xy/again/3"]


def test_wording_of_a_framework_s_own_counts_as_the_same() -> None:
    assert same_wording("Working outside of request context.\n\nOne way") == same_wording(
        "Working outside of request context.\n\nAnother"
    )
    assert same_wording("'_AppCtxGlobals' object has no attribute 'n'") == "n"
    assert same_wording("any other text") == "any other text"


def test_batches_make_up_the_examples() -> None:
    assert list(many.batches(1100, 7)) == [(7, 500), (8, 500), (9, 100)]
    assert many.run_batch(1, 20) is None
