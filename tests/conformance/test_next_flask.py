"""The comparison with Flask's next version finds no difference if it gets the current version."""

from __future__ import annotations

import json

from tests.conformance.next_flask import report
from tests.conformance.next_flask.observe import first_difference, traces
from tests.processes import run


def test_this_version_does_what_the_golden_traces_say():
    assert report.differing(traces()) == []


def test_random_programs_are_counted():
    done = run("-m", "tests.conformance.next_flask.observe", "--examples", "20")
    seen = json.loads(done.stdout)
    assert (seen["examples"], seen["same"], seen["kinds"]) == (20, 20, {})


def test_a_difference_is_named_by_its_first_event_without_numbers():
    before = ("before_request 0", [], {})
    assert first_difference([before, ("b0.v1", [])], [before, ("b0again.v0", [])]) == "[] | []"
    assert first_difference([before], [before]) == ""
    assert first_difference([before], []) == "one side ends early"
    assert first_difference([("app", "escaped", "KeyError")], [("chunk", b"x")]) == "app escaped KeyError | chunk b'x'"


def test_the_page_shows_the_traces_of_both_where_more_than_the_contexts_differs():
    golden = {name: report.known(name) for name in ("ok", "not_found", "teardown_raises")}
    (view,) = (line for line in golden["ok"] if line.startswith("view: "))
    changed = [line for line in golden["ok"] if line != view]
    gone = [line for line in golden["not_found"] if not line.startswith(report.MERGED)]
    seen = {"traces": {**golden, "ok": changed, "not_found": gone}, "examples": 7, "same": 6, "kinds": {"a | b": 1}}
    page = report.markdown(seen, "9.9")
    assert "**1 of them differ**" in page
    assert f"- {view}\n" in page
    assert "## not found" not in page
    assert "| `a` | `b` | 1 |" in page
