"""The runner of Flask's tests, without running them: what counts, how it judges, what ``import flask`` imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import warnings
from pathlib import Path

import pytest

from tests.conformance.flask_suite import __main__ as command
from tests.conformance.flask_suite import denominator, fetch, report, suite

EXPECTED = denominator.load()


def all_pass() -> suite.Outcomes:
    return suite.Outcomes(passed=set(EXPECTED.ids))


def run_python(code: str) -> str:
    """Run `code` in a process with the plugin and wsgi_core on its path. Return its output."""
    path = os.pathsep.join([str(suite.PLUGIN), str(suite.core_folder())])
    environ = os.environ | {"PYTHONPATH": path, "FLASK_SUITE_VERSION": fetch.FLASK_VERSION}
    command = [sys.executable, "-c", f"import flask_alias as plugin\n{code}"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# The denominator


def test_490_tests_count_and_each_once():
    assert len(EXPECTED.ids) == len(set(EXPECTED.ids)) == 490


def test_areas_have_the_sizes_that_the_goals_were_set_for():
    assert {area: len(tests) for area, tests in EXPECTED.areas.items()} == {
        "lifecycle": 289,
        "templating": 53,
        "config": 24,
        "instance config": 7,
        "files": 23,
        "app.run": 33,
        "command line": 61,
    }


def test_areas_stored_are_those_that_the_patterns_give():
    assert dict(EXPECTED.areas) == denominator.by_area(EXPECTED.ids)


def test_tests_that_assert_nothing_are_few_and_count():
    assert set(EXPECTED.ids) >= EXPECTED.asserts_nothing
    assert len(EXPECTED.asserts_nothing) < 50


def test_each_reason_is_for_a_test_that_counts():
    assert denominator.load_reasons().keys() <= set(EXPECTED.ids)


def test_denominator_survives_being_written(tmp_path: Path):
    denominator.save(EXPECTED, tmp_path / "expected.json")
    assert denominator.load(tmp_path / "expected.json") == EXPECTED


# Judging


def test_goals_are_met_when_all_pass():
    assert report.judge(EXPECTED, all_pass(), {}).problems == ()


@pytest.mark.parametrize("area", denominator.AREAS)
def test_a_missing_test_is_a_failure(area: str):
    outcomes = all_pass()
    missing = EXPECTED.areas[area][0]
    outcomes.passed.remove(missing)
    result = report.judge(EXPECTED, outcomes, {})
    assert dict(result.failed) == {missing: None}
    assert any("fails without a reason" in problem and missing in problem for problem in result.problems)


def test_a_reason_excuses_a_failure_in_the_lifecycle():
    outcomes = all_pass()
    failing = EXPECTED.areas["lifecycle"][0]
    outcomes.passed.remove(failing)
    assert report.judge(EXPECTED, outcomes, {failing: "a private name"}).problems == ()


@pytest.mark.parametrize(("area", "may_fail"), [("lifecycle", 4), ("templating", 0), ("command line", 11)])
def test_reasons_do_not_help_below_the_floor(area: str, may_fail: int):
    for count, good in ((may_fail, True), (may_fail + 1, False)):
        failing = EXPECTED.areas[area][:count]
        outcomes = suite.Outcomes(passed=set(EXPECTED.ids) - set(failing))
        problems = report.judge(EXPECTED, outcomes, dict.fromkeys(failing, "why")).problems
        assert (problems == ()) is good


def test_a_reason_for_a_test_that_passes_is_a_problem():
    listed = EXPECTED.ids[0]
    assert report.judge(EXPECTED, all_pass(), {listed: "why"}).problems == (
        f"is listed in reasons.toml but passes: {listed}",
    )


def test_a_reason_for_a_test_that_does_not_count_is_a_problem():
    problems = report.judge(EXPECTED, all_pass(), {"tests/test_x.py::test_y": "why"}).problems
    assert problems == ("is listed in reasons.toml but does not count: tests/test_x.py::test_y",)


def test_a_pass_that_does_not_count_adds_nothing():
    outcomes = all_pass()
    outcomes.passed.add("tests/test_basic.py::test_of_our_own")
    assert report.judge(EXPECTED, outcomes, {}) == report.judge(EXPECTED, all_pass(), {})


def test_page_names_failures_reasons_and_hollow_passes():
    failing = "tests/test_basic.py::test_response_types"
    outcomes = all_pass()
    outcomes.passed.remove(failing)
    page = report.markdown(report.judge(EXPECTED, outcomes, {failing: "a | b"}))
    assert "| ``test_basic.py::test_response_types`` | a &#124; b |" in page
    assert "**489 of 490 pass.**" in page
    assert f"these {len(EXPECTED.asserts_nothing)} also pass against a module of mocks" in page


def test_result_file_says_what_the_run_showed(tmp_path: Path):
    report.write_json(report.judge(EXPECTED, all_pass(), {}), tmp_path / "docs" / "result.json")
    data = json.loads((tmp_path / "docs" / "result.json").read_text(encoding="utf-8"))
    assert sum(row["passed"] for row in data["rows"]) == 490
    assert data["failed"] == {}


# Reading a run


def outcomes_of(tmp_path: Path, *events: dict[str, str]) -> suite.Outcomes:
    lines = tmp_path / "outcomes.jsonl"
    lines.write_text("\n".join(json.dumps(event) for event in events), encoding="utf-8")
    return suite.read(lines)


def test_a_test_that_fails_in_its_teardown_has_not_passed(tmp_path: Path):
    failed = {"event": "failed", "id": "a", "why": "leaks\nmore", "text": "..."}
    outcomes = outcomes_of(tmp_path, {"event": "passed", "id": "a", "why": "", "text": ""}, failed)
    assert outcomes.passed == set()
    assert outcomes.explain("a") == "leaks"


def test_a_skipped_test_has_not_passed(tmp_path: Path):
    outcomes = outcomes_of(tmp_path, {"event": "skipped", "id": "a", "why": "", "text": ""})
    assert outcomes.passed == set()


def test_a_file_that_cannot_be_imported_explains_its_tests(tmp_path: Path):
    broken = {"event": "uncollected", "id": "tests/test_cli.py", "text": "Traceback\nE   ImportError: no name"}
    outcomes = outcomes_of(tmp_path, broken)
    assert outcomes.explain("tests/test_cli.py::test_x") == "not collected: ImportError: no name"
    assert outcomes.explain("tests/test_basic.py::test_x") == "no such test was found"


@pytest.fixture
def place(tmp_path: Path) -> suite.Place:
    (tmp_path / "tests").mkdir()
    return suite.Place(tmp_path, ())


def test_a_run_tells_what_each_test_did(place: suite.Place):
    text = "import flask\ndef test_good(): flask.Flask()\ndef test_bad(): assert 1 == 2\n"
    (place.flask / "tests" / "test_x.py").write_text(text, encoding="utf-8")
    (place.flask / "tests" / "test_y.py").write_text("import no_such_module", encoding="utf-8")
    outcomes = suite.run("mocks", place)
    assert outcomes.passed == {"tests/test_x.py::test_good"}
    assert outcomes.explain("tests/test_x.py::test_bad") == "assert 1 == 2"
    assert "no_such_module" in outcomes.explain("tests/test_y.py::test_z")
    assert outcomes.stopped == ""


def test_a_run_that_dies_says_where_it_was(place: suite.Place):
    text = "import os\ndef test_good(): pass\ndef test_deadly(): os._exit(7)\n"
    (place.flask / "tests" / "test_x.py").write_text(text, encoding="utf-8")
    outcomes = suite.run("mocks", place)
    assert outcomes.passed == {"tests/test_x.py::test_good"}
    assert "code 7" in outcomes.stopped
    assert outcomes.stopped.endswith("it was at tests/test_x.py::test_deadly")
    assert report.judge(EXPECTED, outcomes, {}).problems[0] == outcomes.stopped


def test_a_run_that_hangs_is_stopped(place: suite.Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(suite, "LIMIT", 1.0)
    text = "import time\ndef test_endless(): time.sleep(60)\n"
    (place.flask / "tests" / "test_x.py").write_text(text, encoding="utf-8")
    assert suite.run("mocks", place).stopped.startswith("the run was stopped after 1 s")


# What ``import flask`` imports


def test_flask_is_answered_by_the_core():
    code = """
plugin.answer_with(plugin.aliases())
import flask, flask.views, flask.globals, wsgi_core.context
from flask.json.tag import TaggedJSONSerializer
assert flask.Flask is wsgi_core.App
assert flask.globals._cv_request is wsgi_core.context._cv_request
assert flask.views.View.__module__ == "wsgi_core.views"
assert TaggedJSONSerializer.__module__ == "wsgi_core.sessions"
print("answered")
"""
    assert run_python(code) == "answered"


def test_no_import_reaches_the_real_flask():
    code = """
plugin.answer_with({})
try:
    import flask
except ImportError as error:
    print(error)
"""
    assert run_python(code) == "nothing in wsgi_core answers for 'flask'"


def test_every_module_of_flask_has_a_twin():
    assert run_python("print(plugin.aliases().keys() == plugin.TWINS.keys())") == "True"


def test_version_of_flask_is_told_whether_it_is_installed_or_not():
    code = "plugin.say_version('3.1.3')\nimport importlib.metadata as m\nprint(m.version('flask'), m.version('Flask'))"
    assert run_python(code) == "3.1.3 3.1.3"


def test_filter_for_warnings_of_flask_app_holds_for_the_core():
    code = """
import warnings
plugin.widen_warning_filters()
with warnings.catch_warnings():
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "odd", UserWarning, "flask.app")
    warnings.warn_explicit("odd name", UserWarning, "routing.py", 1, "wsgi_core.routing")
    try:
        warnings.warn_explicit("odd name", UserWarning, "other.py", 1, "other")
    except UserWarning:
        print("only there")
"""
    assert run_python(code) == "only there"


# Downloading


def test_other_bytes_are_not_taken_for_flask(tmp_path: Path):
    fake = tmp_path / fetch.SDIST_NAME
    fake.write_bytes(b"something else")
    with pytest.raises(fetch.FetchError, match="is not the pinned source"):
        fetch.sdist(tmp_path)


def test_only_tests_sources_and_settings_are_unpacked(tmp_path: Path):
    top = tmp_path / f"flask-{fetch.FLASK_VERSION}"
    for name in ("tests/test_a.py", "src/flask/__init__.py", "pyproject.toml", "docs/index.rst"):
        file = top / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    archive = tmp_path / "sdist.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(top, arcname=top.name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = fetch.unpack(archive, tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == ["pyproject.toml", "src", "tests"]


def test_sdist_that_is_not_flask_ends_the_command_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    fake = tmp_path / "flask.tar.gz"
    fake.write_bytes(b"")
    assert command.main(["--sdist", str(fake)]) == 2
    assert "SHA-256" in capsys.readouterr().err
