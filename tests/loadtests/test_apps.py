"""The user's own applications: how they are named, loaded, called and compared. The tests check no times."""

import sys
from dataclasses import replace

import pytest
from click import UsageError

from loadtests import apps, studies
from loadtests.cli import overhead
from loadtests.instrument.app_loader import AppError, load_app
from loadtests.instrument.eviction import Eviction
from loadtests.instrument.experiment import Hooks, Pace
from loadtests.instrument.inprocess import Answered, Mismatch, RunFailed, Workers
from loadtests.instrument.request import Request
from loadtests.instrument.results import Results
from loadtests.load import served
from tests.loadtests.jobs import bench, carry_out
from tests.runner import CliRunner

MODULE = """
import os
import sys

class Site:
    def wsgi(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["QUERY_STRING"].encode() + environ["wsgi.input"].read()]

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
    return [b"no such page"]

def broken(environ, start_response):
    raise RuntimeError("what is wrong here")

def failing(environ, start_response):
    start_response("500 INTERNAL SERVER ERROR", [])
    return [b"why"]

def create_greeting():
    def app(environ, start_response):
        start_response("200 OK", [])
        return [GREETING]
    return app

def set_up():
    global GREETING
    GREETING = os.environ["GREETING"].encode()

def reset():
    with open("resets.txt", "a") as file:
        file.write("x")

async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["query_string"]})

class CallableAsgi:
    async def __call__(self, scope, receive, send):
        await asgi(scope, receive, send)

callable_asgi = CallableAsgi()
wrapped_asgi = lambda scope, receive, send: asgi(scope, receive, send)
"""
TINY = Pace(1, 0.01, 0.0, 0.2)
HOME = Request("GET", "/")


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "their_apps.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def loading(here, monkeypatch):
    """`load_app` in the process of the test. Afterwards, sys.path and sys.modules are restored."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    modules = dict(sys.modules)
    yield load_app
    sys.modules.clear()
    sys.modules.update(modules)


@pytest.mark.parametrize(
    "target",
    [
        "their_apps:plain", "their_apps:site.wsgi", "their_apps:create_app()", "their_apps:create_app(extra='!')",
        "their_apps:asgi", "their_apps:callable_asgi", "their_apps:wrapped_asgi",
    ],
)  # fmt: skip
def test_apps_are_found_as_servers_find_them(loading, target):
    assert callable(loading(target))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:app", "no module 'no_such_module' in .* or among the installed packages"),
        ("their_apps:nothing", "their_apps has no 'nothing'; it has .*plain"),
        ("their_apps:number", "is of type int: it cannot be called, so it is not an application"),
        ("their_apps:create_app", "looks like a factory; write their_apps:create_app\\(\\)"),
        ("their_apps:create_app(plain)", "only literal arguments"),
        ("their_apps:create_app(", "expected a name, or a call"),
    ],
)
def test_what_is_not_an_application_is_refused_with_help(loading, target, message):
    with pytest.raises(AppError, match=message):
        loading(target)


def test_a_module_that_their_module_misses_keeps_its_own_error(loading, here):
    (here / "half.py").write_text("import not_installed_anywhere\n", encoding="utf-8")
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        loading("half:app")


@pytest.mark.parametrize("text", ["app", "mine=module", "=m:a", "mine=:a", "mine=m:", "mine again=m:a"])
def test_a_specification_has_a_name_a_module_and_an_app(text):
    with pytest.raises(UsageError):
        apps.parse(text)


def test_names_have_to_differ():
    with pytest.raises(UsageError, match="same name"):
        apps.parse_all(["a=m:x", "a=m:y"])


# The worker


def experiment(*specifications, requests=(HOME,), **options):
    (found,) = apps.study_of(apps.parse_all(specifications), []).experiments
    return replace(found, requests=tuple(requests), **options)


def answered(*specifications, workers=Workers(), **options):  # noqa: B008
    return workers.try_out([experiment(*specifications, **options)])


def test_equal_apps_leave_nothing_to_say(here):
    assert apps.notes_on(answered("a=their_apps:plain", "b=their_apps:site.wsgi")) == []


def test_apps_that_answer_differently_are_reported_and_measured(here):
    (said,) = apps.notes_on(answered("a=their_apps:plain", "b=their_apps:create_app()"))
    assert said.startswith(
        "b and a respond differently, so their times measure different work: GET /: different bodies of 0 and 5"
    )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("missing", "a responds with 404 NOT FOUND to GET /, expected 200(.|\n)*no such page"),
        ("failing", "a responds with 500 INTERNAL SERVER ERROR to GET /, expected 200(.|\n)*why"),
    ],
)
def test_another_status_than_expected_ends_the_run_with_what_came_back(here, target, message):
    with pytest.raises(Mismatch, match=message):
        answered(f"a=their_apps:{target}")


def test_a_status_that_is_expected_is_measured(here):
    expected = replace(HOME, status=404)
    assert answered("a=their_apps:missing", requests=[expected])
    with pytest.raises(Mismatch, match="a responds with 200 OK to GET /, expected 404"):
        answered("a=their_apps:plain", requests=[expected])


def test_an_app_that_fails_is_shown_with_its_own_part_of_the_traceback(here):
    with pytest.raises(RunFailed, match=r"a fails at GET /:\n.*their_apps.*\n.*\n?.*what is wrong here") as caught:
        answered("a=their_apps:broken")
    assert "worker" not in str(caught.value)


def test_a_worker_that_cannot_load_an_app_says_so_in_one_line(here):
    with pytest.raises(RunFailed) as caught:
        answered("a=their_apps:number")
    said = "a: their_apps:number is of type int: it cannot be called, so it is not an application"
    assert str(caught.value) == said


@pytest.mark.parametrize("evict", [Eviction(), Eviction(4096), Eviction(code=5)])
def test_a_worker_measures_each_contender_in_each_round(loading, evict):
    wanted = [experiment("a=their_apps:plain", "b=their_apps:create_app()", evict=evict)]
    (blocks,) = carry_out(wanted, seconds=0.01, warm_up=0.0, block_ms=0.2, seed=1)["samples"].values()
    rounds = {}
    for number, contender, requests, *_ in blocks:
        assert requests > 0
        rounds.setdefault(number, set()).add(contender)
    assert len(rounds) % 2 == 0
    assert all(seen == {0, 1, 2, 3} for seen in rounds.values())


def test_requests_of_one_file_take_turns(loading):
    found = bench(experiment("a=their_apps:plain", requests=[Request("GET", "/?a"), Request("GET", "/?b")]))
    assert [response.body for response in found.responses["a"]] == [b"a", b"b"]


# ASGI


def test_files_with_the_same_name_are_measured_separately(loading, tmp_path):
    files = [tmp_path / folder / "a.http" for folder in ("one", "two")] + [tmp_path / "b.http"]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"GET /{file.parent.name}\n")
    study = apps.study_of([apps.parse("a=site:plain")], files)
    assert [one.key for one in study.experiments] == [files[0].as_posix(), files[1].as_posix(), "b.http"]
    assert [one.requests[0].target for one in study.experiments][:2] == ["/one", "/two"]


def test_an_asgi_app_gets_a_driver_of_its_own_and_a_label(here):
    found = experiment("a=their_apps:plain", "b=their_apps:asgi")
    settled = apps.settled(found, Workers().try_out([found])["GET /"])
    assert [one.name for one in settled.contenders] == ["a", "a again", "b (ASGI)", "ASGI driver"]
    assert settled.drivers == {"b (ASGI)": "ASGI driver"}
    assert Workers().measure([settled], TINY, 1)["GET /"].blocks


def test_an_asgi_app_may_be_the_first(here):
    said = {name: Answered("asgi", []) for name in ("a", "a again")}
    settled = apps.settled(experiment("a=their_apps:asgi"), said)
    assert [one.name for one in settled.contenders] == ["a (ASGI)", "a (ASGI) again", "ASGI driver"]
    assert settled.reference == "a (ASGI)"


# Functions of the user's own


def test_setup_runs_before_the_first_request_of_each_process(here, monkeypatch):
    monkeypatch.setenv("GREETING", "hello")
    workers = Workers(Hooks(setup="their_apps:set_up"))
    assert answered("a=their_apps:create_greeting()", workers=workers)
    assert workers.measure([experiment("a=their_apps:create_greeting()")], TINY, 1)
    with pytest.raises(RunFailed, match="name 'GREETING' is not defined"):
        answered("a=their_apps:create_greeting()")


def test_reset_runs_between_the_rounds(here):
    workers = Workers(Hooks(reset="their_apps:reset"))
    found = workers.measure([experiment("a=their_apps:plain")], TINY, 1)["GET /"]
    assert len((here / "resets.txt").read_text()) == len({block.round for block in found.blocks})


def test_a_function_that_is_not_there_is_named(here):
    with pytest.raises(RunFailed, match=r"their_apps:nothing: .*has no attribute 'nothing'"):
        answered("a=their_apps:plain", workers=Workers(Hooks(setup="their_apps:nothing")))


# The command


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(studies, "APPS_QUICK", studies.Budget(Pace(2, 0.02, 0.0, 0.3)))


def test_the_command_measures_their_apps(here, quick):
    (here / "ask.http").write_text("POST /x?y=z\n\nbody\n", encoding="utf-8")
    arguments = ["--apps", "mine=their_apps:plain", "other=their_apps:create_app()", "--request", "ask.http"]
    outcome = CliRunner().invoke(overhead, [*arguments, "--quick", "--out", "found"])
    assert outcome.exit_code == 0, outcome.output
    assert "Note: other and mine respond differently" in outcome.output
    results = Results.read(here / "found" / "results.json")
    assert (results.study, results.partial) == ("apps", False)
    assert results.experiments[0].contenders == ["mine", "mine again", "other"]
    assert "--request ask.http" in results.command
    text = (here / "found" / "index.html").read_text(encoding="utf-8")
    assert "POST /x?y=z (ask.http)" in text
    assert "respond differently" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--request", "x.http"], "--request can only be used with --apps"),
        (["--apps", "mine"], "expected NAME=MODULE:APP"),
        (["--apps", "a=m:x", "--validate"], "cannot be used together"),
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
    assert not (here / "overhead" / "results.json").exists()


# Applications of real frameworks, in process and behind a server

FRAMEWORKS = {
    "flask": ("from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef home():\n    return 'x'\n", "wsgi"),
    "core": ("from wsgi_core import App\napp = App(__name__)\n@app.get('/')\ndef home():\n    return 'x'\n", "wsgi"),
    "falcon": (
        "import falcon\nclass Home:\n    def on_get(self, req, resp):\n        resp.text = 'x'\n"
        "app = falcon.App()\napp.add_route('/', Home())\n",
        "wsgi",
    ),
    "falcon_asgi": (
        "import falcon.asgi\nclass Home:\n    async def on_get(self, req, resp):\n        resp.text = 'x'\n"
        "app = falcon.asgi.App()\napp.add_route('/', Home())\n",
        "asgi",
    ),
    "django": (
        "import django\nfrom django.conf import settings\nfrom django.http import HttpResponse\n"
        "from django.urls import path\n"
        "urlpatterns = [path('', lambda request: HttpResponse('x'))]\n"
        "settings.configure(ALLOWED_HOSTS=['*'], ROOT_URLCONF=__name__)\ndjango.setup()\n"
        "from django.core.wsgi import get_wsgi_application\napp = get_wsgi_application()\n",
        "wsgi",
    ),
    "fastapi": (
        "from contextlib import asynccontextmanager\nfrom fastapi import FastAPI\n"
        "from fastapi.responses import StreamingResponse\n"
        "@asynccontextmanager\nasync def lifespan(app):\n    app.state.started = True\n    yield\n"
        "app = FastAPI(lifespan=lifespan)\n"
        "@app.get('/')\nasync def home():\n    assert app.state.started\n    return StreamingResponse(iter(['x']))\n",
        "asgi",
    ),
}  # fmt: skip


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_applications_of_each_framework_are_measured_as_they_are(here, framework):
    text, protocol = FRAMEWORKS[framework]
    (here / "site_of_mine.py").write_text(text, encoding="utf-8")
    (wanted,) = apps.study_of(apps.parse_all(["a=site_of_mine:app"]), []).experiments
    answers = Workers().try_out([wanted])
    assert answers["GET /"]["a"].protocol == protocol
    settled = apps.settled(wanted, answers["GET /"])
    assert Workers().measure([settled], TINY, 1)["GET /"].blocks


@pytest.mark.long
def test_their_apps_are_measured_behind_servers_too(here, monkeypatch):
    """A WSGI and an ASGI application, each on the servers that can serve it, at a fixed rate and at saturation."""
    short = studies.Budget(TINY, pairs=2, other_pairs=1, load_seconds=0.2, load_warm_up=0.1, rate_seconds=0.3)
    monkeypatch.setattr(studies, "APPS_QUICK", short)
    arguments = ["--quick", "--served", "--apps", "a=their_apps:create_app()", "b=their_apps:asgi", "--out", "found"]
    outcome = CliRunner().invoke(overhead, arguments)
    assert outcome.exit_code == 0, outcome.output
    results = Results.read(here / "found" / "results.json")
    assert {load.server: load.services for load in results.loads} == {"waitress": ["a"], "uvicorn": ["b (ASGI)"]}
    assert {load.mode for load in results.loads} == {"rate", "saturation"}
    for load in results.loads:
        assert all(run.requests > 0 and run.failures == 0 for run in load.runs)
    assert all(run.generator == "open loop" for latency in results.latencies for run in latency.runs)


def test_a_server_that_cannot_serve_their_app_is_shown_with_what_it_said(here):
    (here / "half.py").write_text("raise RuntimeError('what is wrong here')\n", encoding="utf-8")
    service = studies.served_app("mine", "half:app", "waitress")
    with (
        pytest.raises(RunFailed, match=r"mine: the server did not start(.|\n)*what is wrong here"),
        served.serving([service]),
    ):
        pass


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--expect", "404"], "--expect can only be used with --apps"),
        (["--served"], "--served can only be used with --apps"),
        (["--setup", "m:f"], "--setup can only be used with --apps"),
    ],
)
def test_options_for_apps_go_with_apps(arguments, message):
    outcome = CliRunner().invoke(overhead, arguments)
    assert outcome.exit_code == 2
    assert message in outcome.stderr
