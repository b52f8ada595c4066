"""Each golden case has the same trace on Flask and on the core, and it is the stored trace.

Each test runs its case of `golden_apps` on both frameworks, and compares both traces with golden/<name>.txt. After an
intended change, set the environment variable WRITE_GOLDEN=1 to write the files again from Flask's traces, and read
the diff.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.golden_apps import CASES, FRAMEWORKS, record
from wsgi_core.trace import compare

GOLDEN = Path(__file__).parent / "golden"

Golden = Callable[[], list[str]]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """A function that compares both traces with the file of the test's name, and returns the lines of the trace."""
    name = request.node.name.removeprefix("test_")
    file, known = GOLDEN / f"{name}.txt", CASES[name]

    def check() -> list[str]:
        seen = {name: record(known.build, known.drive, fw).events for name, fw in FRAMEWORKS.items()}
        lines = [str(event) for event in seen["flask"]]
        if os.environ.get("WRITE_GOLDEN") == "1":
            file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
        assert lines == file.read_text(encoding="utf-8").splitlines()
        different = [row for row in compare(seen["flask"], seen["wsgi_core"]) if not row.equal]
        assert not different, "\n".join(f"{row.mark} {row.left or row.right}" for row in different)
        return lines

    return check


def test_every_case_has_its_test_and_its_file() -> None:
    assert set(CASES) == {file.stem for file in GOLDEN.glob("*.txt")}
    assert {f"test_{name}" for name in CASES} <= set(globals())


def test_ok(golden: Golden) -> None:
    lines = golden()
    # Teardown runs when the response is made, before its body is sent.
    assert lines.index("app context popped") < lines.index("body chunk: 1 byte")


def test_not_found(golden: Golden) -> None:
    lines = golden()
    # The hooks run, because matching only stores the error, and dispatching raises it.
    assert "before_request: before" in lines


def test_method_not_allowed(golden: Golden) -> None:
    golden()


def test_automatic_options(golden: Golden) -> None:
    golden()


def test_redirect_for_a_slash(golden: Golden) -> None:
    golden()


def test_before_request_answers(golden: Golden) -> None:
    lines = golden()
    assert not [line for line in lines if line.startswith(("view", "before_request: second"))]


def test_before_request_raises(golden: Golden) -> None:
    lines = golden()
    assert "before_request: before" not in lines


def test_error_handled_by_code(golden: Golden) -> None:
    lines = golden()
    assert "teardown_request: teardown (receives None)" in lines
    assert not [line for line in lines if "got_request_exception" in line]


def test_error_handled_by_class(golden: Golden) -> None:
    golden()


def test_error_handled_by_the_blueprint(golden: Golden) -> None:
    golden()


def test_error_handler_raises(golden: Golden) -> None:
    golden()


def test_unhandled_error(golden: Golden) -> None:
    lines = golden()
    # The signal is sent before the after_request functions, which also run.
    order = ["signal sent: got_request_exception", "after_request: after", "signal sent: request_finished"]
    assert sorted(order, key=lines.index) == order
    assert "teardown_request: teardown (receives ZeroDivisionError)" in lines


def test_unhandled_error_propagates(golden: Golden) -> None:
    lines = golden()
    assert "after_request: after" not in lines
    assert lines[-1] == "caller saw raised: ZeroDivisionError"


def test_unhandled_error_with_a_handler_for_500(golden: Golden) -> None:
    golden()


def test_after_request_raises(golden: Golden) -> None:
    lines = golden()
    assert lines.count("after_request: fails (raises)") == 2
    assert "after_request: after" not in lines
    assert "signal sent: request_finished" not in lines


def test_teardown_raises(golden: Golden) -> None:
    lines = golden()
    assert "signal sent: request_tearing_down" not in lines
    assert not [line for line in lines if line.startswith("teardown_request: teardown")]
    assert "teardown_appcontext: teardown_app (receives None)" in lines


def test_nested_blueprints(golden: Golden) -> None:
    lines = golden()
    before = [line for line in lines if line.startswith("before_request")]
    assert [line.split()[1] for line in before] == [
        f"before_{name}_{i}" for name in ("app", "outer", "inner") for i in (1, 2)
    ]
    after = [line for line in lines if line.startswith("after_request")]
    assert [line.split()[1] for line in after] == [
        f"after_{name}_{i}" for name in ("inner", "outer", "app") for i in (2, 1)
    ]


def test_generator(golden: Golden) -> None:
    lines = golden()
    assert "body chunk: 10 bytes" in lines


def test_generator_as_a_view(golden: Golden) -> None:
    golden()


def test_generator_raises(golden: Golden) -> None:
    lines = golden()
    # No handler is called: the status has been sent and the contexts have been popped.
    assert "caller saw raised: ValueError" in lines
    assert not [line for line in lines if line.startswith("error caught")]


def test_stream_with_context(golden: Golden) -> None:
    lines = golden()
    assert lines.count("teardown_request: teardown (receives None)") == 2
    assert "body chunk: 5 bytes" in lines


def test_client_closes_early(golden: Golden) -> None:
    lines = golden()
    assert "body exhausted" not in lines
    assert "close callback: done" in lines


def test_client_closes_early_with_context(golden: Golden) -> None:
    lines = golden()
    # close() closes the generator, and so pops its contexts.
    assert lines.index("close") < [i for i, line in enumerate(lines) if line.startswith("teardown_request")][1]


def test_async(golden: Golden) -> None:
    golden()


def test_session_changed(golden: Golden) -> None:
    lines = golden()
    assert "session saved (Set-Cookie, Vary)" in lines


def test_session_comes_back(golden: Golden) -> None:
    lines = golden()
    assert len([line for line in lines if line.startswith("session saved")]) == 2


def test_session_interface_of_the_app(golden: Golden) -> None:
    lines = golden()
    assert "session saved" in lines


def test_session_saved_the_app_s_own_way(golden: Golden) -> None:
    lines = golden()
    assert "session saved (X-Saved)" in lines


def test_session_cannot_be_opened(golden: Golden) -> None:
    lines = golden()
    # While the 500 is made, save_session is called although no session was opened.
    assert "session opened (raises)" in lines
    assert "session saved" in lines


def test_nested_app_context(golden: Golden) -> None:
    lines = golden()
    assert len([line for line in lines if line.startswith("teardown_appcontext")]) == 2
    assert lines.count("app context pushed (another app)") == 1


def test_request_inside_an_app_context(golden: Golden) -> None:
    lines = golden()
    assert lines.index("close") < lines.index("app context popped")


def test_client_preserves_the_context(golden: Golden) -> None:
    lines = golden()
    # The context is popped and pushed again, so the teardown functions run twice.
    assert lines.count("request context pushed") == 2
    assert lines.count("teardown_request: teardown (receives None)") == 2


def test_template_and_flash(golden: Golden) -> None:
    golden()


def test_view_called_by_a_view(golden: Golden) -> None:
    lines = golden()
    # Only the function that the framework calls counts as a view.
    assert [line for line in lines if line.startswith("view")] == ["view: index"]
