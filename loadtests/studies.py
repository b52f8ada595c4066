"""What is measured: the studies, their experiments and contenders, the figures they answer for, and the time.

A study is data. Adding a rung is a file in ``rungs/`` and a line here; nothing else knows the names.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from loadtests.rungs.phases import PHASES

# The group of experiments that the intervals of a study depend on.
MAIN = "in process"


@dataclass(frozen=True)
class Contender:
    """One application in an experiment: ``factory`` is ``"module:name"``, called with ``options``.

    Its answers are those of all others but for ``own_headers`` and the values of the JSON fields ``own_fields``. One
    that ``is_driver`` does nothing and answers nothing: it is there to be taken off the others of its ``protocol``.
    """

    name: str
    factory: str
    options: dict[str, Any] = field(default_factory=dict)
    protocol: str = "wsgi"
    own_headers: tuple[str, ...] = ()
    own_fields: tuple[str, ...] = ()
    is_driver: bool = False


@dataclass(frozen=True)
class Experiment:
    """Contenders that are asked the same and must answer the same, timed in the same rounds.

    Ratios are given to the ``reference``. In a ``ladder`` each contender is the one before it and one step more.
    Experiments of one ``group`` are measured by the same processes: those that import much have processes of their
    own, and fewer of them.
    """

    key: str
    title: str
    case: str
    contenders: tuple[Contender, ...]
    reference: str = "Flask"
    ladder: bool = False
    group: str = MAIN

    @property
    def drivers(self) -> dict[str, str]:
        """Which contender is taken off, by the names of those for which it is not the WSGI driver."""
        by_protocol = {one.protocol: one.name for one in self.contenders if one.is_driver}
        return {
            one.name: by_protocol[one.protocol]
            for one in self.contenders
            if one.protocol in by_protocol and not one.is_driver
        }


@dataclass(frozen=True)
class Goal:
    """A ratio of two contenders of one experiment, and the limit it is held against."""

    text: str
    experiment: str
    top: str
    bottom: str
    limit: float
    at_most: bool = True


@dataclass(frozen=True)
class Service:
    """A server process to load: the arguments after ``python``; ``{host}``, ``{port}``, ``{threads}`` are filled in.

    What its answers may have beside the others' is as for a contender.
    """

    name: str
    arguments: tuple[str, ...]
    own_headers: tuple[str, ...] = ()
    own_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Load:
    """Services that are loaded in turn, with Locust's or with the lean generator.

    Each is loaded with as many requests as it takes and, where there are ``shares``, at these shares of what the
    slowest of them can do. The first share is the fixed moderate rate at which CPU time is counted. Where
    ``latencies`` are wanted, they are measured at each share, in an open loop too. ``both_runs``: part of ``--quick``
    as well, with its first share.
    """

    key: str
    title: str
    generator: str
    services: tuple[Service, ...]
    server: str = "waitress"
    shares: tuple[float, ...] = ()
    latencies: bool = False
    both_runs: bool = False


@dataclass(frozen=True)
class Study:
    """All that one command measures. ``curve``: the models too, one by one (``curve.py``), if there is time for it."""

    key: str
    title: str
    experiments: tuple[Experiment, ...]
    loads: tuple[Load, ...]
    goals: tuple[Goal, ...] = ()
    imports: bool = False
    curve: bool = False


@dataclass(frozen=True)
class Budget:
    """How long is measured. Seconds are of wall time; ``pairs`` are pairs of served runs, each with new servers.

    ``other_processes`` and ``other_pairs`` are for the experiments outside of the main group and for the loads that
    a quick run leaves out. On a slow machine repetitions are left out where the ``deadline``, in seconds from the
    start, would be passed.
    """

    processes: int
    experiment_seconds: float
    warm_up: float
    block_ms: float
    pairs: int
    load_seconds: float
    load_warm_up: float
    import_rounds: int
    deadline: float | None = None
    other_processes: int = 3
    other_pairs: int = 3
    rate_seconds: float = 1.0


QUICK = Budget(5, 0.7, 0.03, 2.0, 3, 1.2, 0.25, 4, 85.0, other_processes=3, rate_seconds=1.2)
FULL = Budget(16, 5.0, 0.12, 8.0, 5, 4.0, 0.6, 12, 1150.0, other_processes=6, other_pairs=3, rate_seconds=4.0)
# For the many experiments of the study "core", whose quick run has to end as soon.
QUICK_CORE = Budget(8, 0.33, 0.03, 3.0, 4, 1.2, 0.4, 4, 85.0)
FULL_CORE = Budget(16, 2.7, 0.12, 8.0, 8, 6.0, 1.0, 12)

AGAIN = "wsgi_core again"
LIBRARY = "the library alone"


def _rung(name: str, module: str, **options: Any) -> Contender:
    return Contender(name, f"loadtests.rungs.{module}:create_app", options)


def _ladder(model: str) -> tuple[Contender, ...]:
    return (
        _rung("raw callable", "raw", model=model),
        _rung("+ Werkzeug's Request", "with_request", model=model),
        _rung("+ Response", "werkzeug_objects", model=model),
        _rung("+ routing", "with_routing", model=model),
        _rung("+ contexts", "with_contexts", model=model),
        _rung("+ hooks and error handling", "with_hooks", model=model),
        _rung("wsgi_core", "core", model=model),
        _rung(AGAIN, "core", model=model),
        _rung("Flask", "flask_app", model=model),
    )


def _wsgi_peers() -> tuple[Contender, ...]:
    return (
        _rung("raw callable", "raw"),
        _rung("Falcon", "falcon_app"),
        _rung("Bottle", "bottle_app"),
        _rung("Werkzeug objects", "werkzeug_objects"),
        _rung("wsgi_core", "core"),
        _rung(AGAIN, "core"),
        _rung("Flask", "flask_app"),
    )


def _asgi_peers() -> tuple[Contender, ...]:
    return (
        Contender("ASGI driver", "loadtests.rungs.work:asgi_driver_app", protocol="asgi", is_driver=True),
        Contender("Starlette (ASGI)", "loadtests.rungs.starlette_app:create_app", protocol="asgi"),
        Contender("FastAPI (ASGI)", "loadtests.rungs.fastapi_app:create_app", protocol="asgi"),
    )


_CORS = ("access-control-allow-origin",)
_PIPELINE = ("churn_probability", "model_version")


def _tutorial(name: str, via: str, *own_fields: str) -> Contender:
    factory = "loadtests.rungs.flask_tutorial:create_app"
    return Contender(name, factory, {"via": via}, own_headers=_CORS, own_fields=own_fields)


def _case(key: str, title: str, library: str = "") -> Experiment:
    """A case of both frameworks, and what ``library`` makes of it: their common part, without either of them."""
    contenders = (
        Contender("wsgi_core", "loadtests.rungs.core_cases:create_app"),
        Contender("Flask", "loadtests.rungs.flask_cases:create_app"),
    )
    alone = (Contender(LIBRARY, f"loadtests.rungs.library:{library}"),) if library else ()
    return Experiment(key, title, key, (*alone, *contenders))


def phase_name(framework: str, phase: str) -> str:
    """The contender that carries out a request of ``framework`` up to ``phase``."""
    return f"{framework}: {phase}"


def _phases(framework: str, module: str) -> tuple[Contender, ...]:
    rung = f"loadtests.rungs.{module}:create_app"
    return tuple(
        _rung(phase_name(framework, phase), "phases", framework=rung, phases=number)
        for number, phase in enumerate(PHASES, start=1)
    )


def _routes(count: int) -> tuple[Contender, Contender]:
    unit = "route" if count == 1 else "routes"
    options = {"routes": count}
    return (
        Contender(f"wsgi_core, {count} {unit}", "loadtests.rungs.core_cases:create_routes_app", options),
        Contender(f"Flask, {count} {unit}", "loadtests.rungs.flask_cases:create_routes_app", options),
    )


NULL = Experiment("null", "The null model: a function that does no work", "predict", _ladder("null"), ladder=True)
CHURN = Experiment("churn", "The model churn on rows of its data", "predict", _ladder("churn"), ladder=True)
HOOKS = Experiment(
    "hooks",
    "The null model, with one before, one after and one teardown function",
    "predict",
    (_rung("wsgi_core", "core", hooks=True), _rung("Flask", "flask_app", hooks=True)),
)
HOOKLESS = (_rung("wsgi_core", "core"), _rung("Flask", "flask_app"))
PEERS = Experiment("peers", "The null model, with the peers", "predict", _wsgi_peers())
ALL_PEERS = Experiment(
    "peers",
    "The null model, with the peers; those of ASGI without a server, in a driver of their own",
    "predict",
    (*_wsgi_peers(), _rung("Django", "django_app"), *_asgi_peers()),
    group="peers",
)
TUTORIAL = Experiment(
    "tutorial",
    "From Flask with churn to Flask as tutorials have it",
    "predict",
    (
        _rung("Flask", "flask_app", model="churn"),
        _tutorial("+ flask-cors", "ONNX"),
        _tutorial("scikit-learn in place of ONNX", "array", *_PIPELINE),
        _tutorial("Flask as tutorials have it", "DataFrame", *_PIPELINE),
    ),
    ladder=True,
    group="tutorial",
)
CASES = (
    _case("converter", "A route with a converter, /v/<int:number>"),
    _case("not_found", "A path that no route has: 404"),
    _case("json_error", "An exception that an error handler answers with JSON"),
    _case("body_64k", "A JSON body of 64 KB", "create_body_app"),
    _case("session", "A session read and written", "create_session_app"),
)
TERMINATED = Experiment(
    "terminated", "The null model, behind a server that sets wsgi.input_terminated", "terminated", HOOKLESS
)
WHERE = Experiment(
    "phases",
    "Where the time goes: the null model with its hooks, phase by phase",
    "predict",
    (*_phases("Flask", "flask_app"), *_phases("wsgi_core", "core")),
    reference=phase_name("Flask", PHASES[-1]),
)
ROUTES = Experiment(
    "routes",
    "A static path among 1, 100 and 1,000 routes",
    "static_route",
    tuple(contender for count in (1, 100, 1000) for contender in _routes(count)),
    reference="Flask, 1 route",
)

_SERVE = ("-m", "wsgi_core", "serve", "--host", "{host}", "--port", "{port}", "--threads", "{threads}")
_SERVE_RUNG = ("-m", "loadtests.load.serve_rung", "--host", "{host}", "--port", "{port}", "--threads", "{threads}")
_GUNICORN = ("-m", "gunicorn", "--bind", "{host}:{port}", "--workers", "1", "--log-level", "error")

# A server that is not named here is waitress, and runs everywhere.
SERVERS = ("waitress", "gunicorn", "gthread", "werkzeug", "uvicorn")
POSIX_ONLY = ("gunicorn", "gthread")
MODERATE = 0.4


def served_rung(name: str, module: str, server: str = "waitress") -> Service:
    """The rung in ``module`` on one of ``SERVERS``, with churn."""
    rung = f"loadtests.rungs.{module}:create_app"
    if server == "gunicorn":
        return Service(name, (*_GUNICORN, "--worker-class", "sync", f"{rung}(model='churn')"))
    if server == "gthread":
        threads = ("--worker-class", "gthread", "--threads", "{threads}")
        return Service(name, (*_GUNICORN, *threads, f"{rung}(model='churn')"))
    return Service(name, (*_SERVE_RUNG, "--server", server, rung))


def _on(server: str, words: str, *rungs: tuple[str, str]) -> Load:
    """Rungs on a server beside the default one."""
    services = tuple(served_rung(name, module, server) for name, module in rungs)
    return Load(f"on_{server}", f"POST /predict with churn, {words}", "locust", services, server, (MODERATE,))


SERVICES = Load(
    "services",
    "POST /predict with churn, the services on waitress",
    "locust",
    (Service("wsgi_core", _SERVE), Service("Flask", (*_SERVE, "--framework", "flask"))),
    shares=(MODERATE, 0.6, 0.75),
    latencies=True,
    both_runs=True,
)
_PAIR = (("wsgi_core", "core"), ("Flask", "flask_app"))
OTHER_SERVERS = (
    _on("gunicorn", "gunicorn with a sync worker", *_PAIR),
    _on("gthread", "gunicorn with a gthread worker", *_PAIR),
    _on("werkzeug", "Werkzeug's own server", *_PAIR),
    _on("uvicorn", "uvicorn (ASGI)", ("Starlette", "starlette_app"), ("FastAPI", "fastapi_app")),
)
_PEERS = (("raw callable", "raw"), ("Falcon", "falcon_app"), ("Bottle", "bottle_app"), ("Django", "django_app"))
SERVED_PEERS = Load(
    "served_peers",
    "POST /predict with churn, the rungs and peers on waitress",
    "locust",
    tuple(served_rung(name, module) for name, module in (*_PEERS, *_PAIR)),
    shares=(MODERATE,),
)
SERVED_TUTORIAL = Load(
    "served_tutorial",
    "Flask with churn, and as tutorials have it, on waitress",
    "locust",
    (
        replace(served_rung("Flask as tutorials have it", "flask_tutorial"), own_headers=_CORS, own_fields=_PIPELINE),
        served_rung("Flask", "flask_app"),
    ),
    shares=(MODERATE,),
)

SATURATION = Load(
    "saturation",
    "POST /predict with churn, the rungs on waitress, as many requests as it takes",
    "lean",
    (served_rung("raw callable", "raw"), served_rung("wsgi_core", "core"), served_rung("Flask", "flask_app")),
    both_runs=True,
)

_TO_FLASK = ("wsgi_core", "Flask")
CORE_GOALS = (
    Goal("wsgi_core ÷ Flask, null model, no hooks, 12 other routes", "peers", *_TO_FLASK, 0.20),
    Goal("the same with one before, one after, one teardown function", "hooks", *_TO_FLASK, 0.20),
    Goal("wsgi_core ÷ Falcon, the same work", "peers", "wsgi_core", "Falcon", 1.2),
    Goal("wsgi_core ÷ Bottle, the same work", "peers", "wsgi_core", "Bottle", 0.8),
    Goal("wsgi_core ÷ Werkzeug's Request + Response", "peers", "wsgi_core", "Werkzeug objects", 0.6),
    *(Goal(f"{case.title}: ÷ Flask", case.key, *_TO_FLASK, 0.35) for case in CASES),
    Goal("100 routes ÷ 1 route, static path", "routes", "wsgi_core, 100 routes", "wsgi_core, 1 route", 1.1),
    Goal("1,000 routes ÷ 1 route, static path", "routes", "wsgi_core, 1000 routes", "wsgi_core, 1 route", 1.1),
    Goal("requests a second with churn on waitress, ÷ Flask's", "saturation", *_TO_FLASK, 1.35, False),
    Goal("the same, ÷ the raw callable's", "saturation", "wsgi_core", "raw callable", 0.85, False),
    Goal("import wsgi_core ÷ import flask, wall time", "import_wall", "wsgi_core", "flask", 0.5),
    Goal("import wsgi_core ÷ import flask, memory", "import_memory", "wsgi_core", "flask", 0.5),
)

_LADDER = (NULL, CHURN, HOOKS, TUTORIAL, ALL_PEERS)
STUDIES = {
    "service": Study(
        "service",
        "From the bare callable to Flask, in process and served",
        _LADDER,
        (SERVICES, *OTHER_SERVERS),
        curve=True,
    ),
    "curve": Study("curve", "When does the framework matter?", (), (), curve=True),
    "ladder": Study("ladder", "From the bare callable to Flask, in process", _LADDER, ()),
    "served": Study(
        "served",
        "wsgi_core, Flask and their peers, served in three ways",
        (),
        (SERVICES, SERVED_PEERS, SERVED_TUTORIAL, *OTHER_SERVERS),
    ),
    "core": Study(
        "core",
        "The core against Flask and its peers, case by case",
        (PEERS, HOOKS, *CASES, TERMINATED, ROUTES, WHERE),
        (SATURATION,),
        CORE_GOALS,
        imports=True,
    ),
}


def budget_of(study: Study, quick: bool) -> Budget:
    """The budget of a study: short enough for ``--quick``, long enough for narrow intervals otherwise."""
    if study.key == "core":
        return QUICK_CORE if quick else FULL_CORE
    return QUICK if quick else FULL


def chosen(study: Study, quick: bool, servers: Collection[str] = ()) -> Study:
    """The study with the loads that are to be measured: those on ``servers``, or what belongs to its run."""
    wanted = [load for load in study.loads if (load.server in servers if servers else load.both_runs or not quick)]
    if quick:
        wanted = [replace(load, shares=load.shares[:1]) for load in wanted]
    return replace(study, loads=tuple(wanted), curve=study.curve and not (quick and study.loads))


def runnable(study: Study) -> tuple[Study, list[str]]:
    """The study without what this system has no way to run, and a sentence on each load that was left out."""
    left_out = [load for load in study.loads if load.server in POSIX_ONLY and sys.platform == "win32"]
    loads = tuple(load for load in study.loads if load not in left_out)
    return replace(study, loads=loads), [f"{load.title}: gunicorn does not run on Windows" for load in left_out]
