"""The user's own applications: how they are named, loaded, asked and compared. No time is looked at."""

import gc
import sys

import pytest

from loadtests import apps
from loadtests.cli import overhead
from loadtests.instrument import trial_worker, trials
from loadtests.instrument.app_loader import AppError, load_app
from loadtests.instrument.inprocess import RunFailed
from loadtests.instrument.request import Request, json_request
from loadtests.instrument.results import read
from loadtests.instrument.trials import Pace
from tests.runner import CliRunner

MODULE = """
class Site:
    def wsgi(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["QUERY_STRING"].encode() + environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))]

site = Site()
plain = site.wsgi
number = 5

def create_app(extra=""):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"other" + extra.encode()]
    return app

def missing(environ, start_response):
    start_response("404 NOT FOUND", [])
    return [b"x"]

def mixed(environ, start_response):
    start_response("200 OK" if environ["PATH_INFO"] == "/" else "404 NOT FOUND", [])
    return [b""]

def broken(environ, start_response):
    raise RuntimeError("what is wrong here")

def failing(environ, start_response):
    start_response("500 INTERNAL SERVER ERROR", [])
    return [b"why"]

def chatty(environ, start_response):
    print("between the samples")
    return plain(environ, start_response)

async def asgi(scope, receive, send):
    pass
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "their_apps.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("their_apps", None)


@pytest.mark.parametrize(
    "target",
    ["their_apps:plain", "their_apps:site.wsgi", "their_apps:create_app()", "their_apps:create_app(extra='!')"],
)
def test_apps_are_found_as_servers_find_them(here, target):
    assert callable(load_app(target))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:app", "no module 'no_such_module' in .* or among the installed packages"),
        ("their_apps:nothing", "their_apps has no 'nothing'; it has .*plain"),
        ("their_apps:number", "is a int, and no WSGI application"),
        ("their_apps:create_app", "looks like a factory, for which their_apps:create_app\\(\\) is written"),
        ("their_apps:asgi", "is an ASGI application"),
        ("their_apps:create_app(plain)", "only literal arguments"),
        ("their_apps:create_app(", "expected a name, or a call"),
    ],
)
def test_what_is_no_wsgi_application_is_refused_with_help(here, target, message):
    with pytest.raises(AppError, match=message):
        load_app(target)


def test_a_module_that_their_module_misses_keeps_its_own_error(here):
    (here / "half.py").write_text("import not_installed_anywhere\n", encoding="utf-8")
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        load_app("half:app")


@pytest.mark.parametrize("text", ["app", "mine=module", "=m:a", "mine=:a", "mine=m:", "mine again=m:a"])
def test_a_specification_has_a_name_a_module_and_an_app(text):
    with pytest.raises(AppError):
        apps.parse(text)


def test_names_have_to_differ():
    with pytest.raises(AppError, match="same name"):
        apps.parse_all(["a=m:x", "a=m:y"])


# Requests


def test_a_request_becomes_an_environ():
    variables = Request(
        "POST", "/a?b=c", body=b"xy", headers={"Content-Type": "t/p", "X-Y": "z", "Host": "h"}
    ).variables
    assert (variables["PATH_INFO"], variables["QUERY_STRING"]) == ("/a", "b=c")
    assert (variables["CONTENT_TYPE"], variables["CONTENT_LENGTH"]) == ("t/p", "2")
    assert (variables["HTTP_X_Y"], variables["HTTP_HOST"]) == ("z", "h")
    assert "CONTENT_LENGTH" not in Request("GET", "/").variables


def test_a_request_survives_the_way_to_the_worker():
    one = Request("PUT", "/ä", body=bytes(range(256)), headers={"A": "b"})
    assert Request.from_json(one.to_json()) == one
    assert json_request("/p", [1]).body == b"[1]"


# The worker


HOME = Request("GET", "/")


def orders(*specifications, requests=(HOME,), seconds=0.0, **options):
    wanted = apps.trials_of(apps.parse_all(specifications), [])[0]
    return {
        "trials": [{**wanted.to_json(), "requests": [one.to_json() for one in requests], **options}],
        "seconds": seconds,
        "warm_up": 0.0,
        "block_ms": 0.2,
        "seed": 1,
    }


def answered(*specifications, **options):
    (found,) = trial_worker.carry_out(orders(*specifications, **options))["answers"].values()
    return {"t": {name: trials.Answered(**said) for name, said in found.items()}}


def test_equal_apps_leave_nothing_to_say(here):
    assert apps.differences(answered("a=their_apps:plain", "b=their_apps:site.wsgi")) == []


def test_apps_that_answer_differently_are_reported_and_measured(here):
    (said,) = apps.differences(answered("a=their_apps:plain", "b=their_apps:create_app()"))
    assert said.startswith("b and a answer differently, so their times are of different work: GET /: bodies of 0 and 5")


def test_another_status_is_reported(here):
    said = apps.differences(answered("a=their_apps:plain", "b=their_apps:missing"))
    assert "b answers 404 NOT FOUND" in said
    assert any("200 OK and 404 NOT FOUND" in one for one in said)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("their_apps:broken", "a fails at GET /:\n.*their_apps.*\n.*\n?.*what is wrong here"),
        ("their_apps:failing", "a answers 500 INTERNAL SERVER ERROR to GET /.*\nwhy"),
    ],
)
def test_an_app_that_fails_is_not_timed(here, target, message):
    with pytest.raises(AppError, match=f"(?s){message}") as caught:
        answered(f"a={target}")
    assert "trial_worker" not in str(caught.value)


def test_requests_with_different_statuses_belong_into_files_of_their_own(here):
    with pytest.raises(AppError, match="measure them one by one"):
        answered("a=their_apps:mixed", requests=(Request("GET", "/"), Request("GET", "/x")))


@pytest.mark.parametrize("cold", [False, True])
def test_a_worker_measures_each_contender_in_each_round(here, cold):
    wanted = orders("a=their_apps:plain", "b=their_apps:missing", seconds=0.01, cold=cold)
    try:
        (blocks,) = trial_worker.carry_out(wanted)["samples"].values()
    finally:
        gc.unfreeze()
    rounds = {}
    for number, contender, requests, *_ in blocks:
        assert requests > 0
        rounds.setdefault(number, set()).add(contender)
    assert len(rounds) % 2 == 0
    assert all(seen == {0, 1, 2, 3} for seen in rounds.values())


def test_what_an_app_prints_does_not_get_between_the_samples(here):
    (wanted,) = apps.trials_of(apps.parse_all(["a=their_apps:chatty"]), [])
    found = trials.measure([wanted], Pace(1, 0.01, 0.0, 0.2), 1)
    assert found[wanted.key].blocks


def test_a_worker_that_cannot_load_an_app_says_so_in_one_line(here):
    with pytest.raises(RunFailed) as caught:
        trials.try_out(apps.trials_of(apps.parse_all(["a=their_apps:number"]), []))
    assert str(caught.value) == "a: their_apps:number is a int, and no WSGI application: it cannot be called"


# The command


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(apps, "QUICK", Pace(2, 0.02, 0.0, 0.3))


def test_the_command_measures_their_apps(here, quick):
    (here / "ask.http").write_text("POST /x?y=z\n\nbody\n", encoding="utf-8")
    arguments = ["--apps", "mine=their_apps:plain", "other=their_apps:create_app()", "--request", "ask.http"]
    outcome = CliRunner().invoke(overhead, [*arguments, "--quick", "--out", "found"])
    assert outcome.exit_code == 0, outcome.output
    assert "Note: other and mine answer differently" in outcome.output
    results = read(here / "found" / "results.json")
    assert (results.study, results.partial) == ("apps", False)
    assert results.experiments[0].contenders == ["mine", "mine again", "other"]
    assert results.command.endswith("--request ask.http --quick")
    text = (here / "found" / "index.html").read_text(encoding="utf-8")
    assert "POST /x?y=z (ask.http)" in text
    assert "answer differently" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--request", "x.http"], "--request goes with --apps"),
        (["--apps", "mine"], "expected NAME=MODULE:APP"),
        (["--apps", "a=m:x", "--validate"], "one at a time"),
        (["--apps", "a=m:x", "--resume"], "--resume is for studies"),
        (["--apps", "a=m:x", "--request", "none.http"], "none.http: No such file"),
    ],
)
def test_wrong_usage_is_said_in_one_line(here, arguments, message):
    outcome = CliRunner().invoke(overhead, arguments)
    assert outcome.exit_code == 2
    assert message in outcome.stderr


def test_an_app_that_fails_ends_the_command_without_a_report(here, quick):
    outcome = CliRunner().invoke(overhead, ["--apps", "a=their_apps:broken", "--quick"])
    assert outcome.exit_code == 5
    assert "what is wrong here" in outcome.stderr
    assert not (here / "overhead").exists()
