"""The studies: what they measure, the goals that they test, and how long they measure.

An *experiment* times *contenders*, which are applications, in process. A *rung* is one of the applications in
``rungs/``. A *load* measures *services*, which are server processes. A *group* is a set of experiments that are
measured in the same processes. To add a rung, add a file to ``rungs/``, its name to ``RUNGS``, and the name to an
experiment.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, Literal

from loadtests.cases import requests_for
from loadtests.child import command
from loadtests.instrument.experiment import ASGI, Contender, Experiment, Pace
from loadtests.instrument.request import Request, Row
from loadtests.rungs.phases import PHASES


@dataclass(frozen=True)
class Goal:
    """A limit for the ratio of two measured values, ``top`` divided by ``bottom``.

    If ``experiment`` is the key of an experiment, the values are costs of contenders. If ``experiment`` is the key of a
    load, the values are rates of services. With ``"import_wall"``, the values are wall times of imports; with
    ``"import_memory"``, the memory after imports. If ``at_most`` is true, the ratio must be at most ``limit``,
    otherwise at least ``limit``.
    """

    text: str
    experiment: str
    top: str
    bottom: str
    limit: float
    at_most: bool = True


@dataclass(frozen=True)
class Service:
    """A server process to measure. ``arguments`` is its command line after ``python``.

    In ``arguments`` and ``environ``, names in braces are replaced: ``{host}``, ``{threads}``, the free ports
    ``{port}``, ``{port2}`` and ``{port3}``, a temporary ``{folder}``, the folder ``{model_servers}``, and the model
    file ``{churn}``.

    ``server`` is one of ``SERVERS``, ``OWN_SERVER`` or empty. If ``compared`` is false, the responses are not compared.
    If ``requires`` is not empty, the service runs in a virtual environment with these packages. ``ready`` is a path
    that returns 200 as soon as the service is ready.
    """

    name: str
    arguments: tuple[str, ...]
    server: str = ""
    compared: bool = True
    requires: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    ready: str = ""


@dataclass(frozen=True)
class Load:
    """Services to measure in turn. Each service is loaded to *saturation*: clients send without a pause.

    ``shares`` are fixed rates, as shares of the slowest service's maximum rate. At the first share, the CPU time per
    request is measured. If ``latencies`` is true, latencies are measured at every share. ``generator``, ``"locust"`` or
    ``"closed loop"``, sends the requests at saturation. ``server`` is the name by which ``--servers`` selects the load.

    If ``both_runs`` is true, ``--quick`` includes the load, with only the first share. If ``requests`` is empty, the
    requests of ``case`` are sent (see ``cases.py``). ``compared`` says what must be equal in the responses of the
    services.
    """

    key: str
    title: str
    generator: str
    services: tuple[Service, ...]
    server: str = "waitress"
    shares: tuple[float, ...] = ()
    latencies: bool = False
    both_runs: bool = False
    case: str = "predict"
    requests: tuple[Request, ...] = ()
    compared: Literal["bytes", "probability", "nothing"] = "bytes"


@dataclass(frozen=True)
class Study:
    """What one run measures: experiments in process, and loads behind servers.

    If ``imports`` is true, the run also measures the imports of wsgi_core, Flask and Werkzeug. If ``models`` is true,
    the run also measures each model that can be loaded (see ``curve.py``).
    """

    key: str
    title: str
    experiments: tuple[Experiment, ...]
    loads: tuple[Load, ...]
    goals: tuple[Goal, ...] = ()
    imports: bool = False
    models: bool = False


@dataclass(frozen=True)
class Budget:
    """How long to measure. All durations are wall time in seconds.

    ``others`` has the pace of some groups of experiments. The other groups are measured at ``pace``. A load whose
    ``both_runs`` is true is repeated ``pairs`` times, and any other load ``other_pairs`` times.

    If ``deadline`` is given, a repetition that would end more than ``deadline`` seconds from the start is skipped. The
    first three repetitions of each measurement are never skipped.
    """

    pace: Pace
    others: dict[str, Pace] = field(default_factory=dict)
    pairs: int = 3
    other_pairs: int = 3
    load_seconds: float = 1.2
    load_warm_up: float = 0.25
    rate_seconds: float = 1.2
    import_rounds: int = 4
    deadline: float | None = None

    def pace_of(self, group: str) -> Pace:
        return self.others.get(group, self.pace)


def _others(pace: Pace, models: Pace) -> dict[str, Pace]:
    return {"peers": pace, "tutorial": pace, MODELS: models}


MODELS = "models"
QUICK = Budget(
    Pace(5, 0.7, 0.03, 2.0), _others(Pace(3, 0.7, 0.03, 2.0), Pace(6, 0.35, 0.02, 3.0)), deadline=85.0
)  # fmt: skip
FULL = Budget(
    Pace(16, 5.0, 0.12, 8.0), _others(Pace(6, 5.0, 0.12, 8.0), Pace(6, 0.9, 0.05, 8.0)), pairs=5,
    load_seconds=4.0, load_warm_up=0.6, rate_seconds=4.0, import_rounds=12, deadline=1150.0,
)  # fmt: skip
# For the study "core": its many experiments must fit into a quick run of the same length.
QUICK_CORE = Budget(Pace(8, 0.33, 0.03, 3.0), pairs=4, load_warm_up=0.4, rate_seconds=1.0, deadline=85.0)
FULL_CORE = Budget(
    Pace(16, 2.7, 0.12, 8.0), pairs=8, load_seconds=6.0, load_warm_up=1.0, rate_seconds=1.0, import_rounds=12
)  # fmt: skip
SERVED_QUICK = Budget(Pace(4, 0.6, 0.03, 2.0), load_seconds=0.6, load_warm_up=0.2, rate_seconds=0.6)
SERVED_FULL = Budget(
    Pace(8, 3.0, 0.1, 4.0), pairs=6, load_seconds=2.0, load_warm_up=0.4, rate_seconds=2.0, deadline=720.0
)
HEAT_QUICK = Budget(Pace(6, 0.35, 0.02, 3.0), pairs=4, load_seconds=0.3, rate_seconds=2.0)
VERSIONS_QUICK = Budget(Pace(8, 1.2, 0.05, 4.0))
VERSIONS_FULL = Budget(Pace(16, 5.0, 0.12, 8.0))
HEAT_FULL = Budget(Pace(12, 0.7, 0.05, 4.0), pairs=6, load_seconds=0.3, load_warm_up=0.5, rate_seconds=4.0)
APPS_QUICK = Budget(Pace(10, 1.5, 0.1, 4.0), pairs=3, other_pairs=2)
APPS_FULL = Budget(Pace(20, 6.0, 0.3, 8.0), pairs=5, load_seconds=4.0, load_warm_up=0.6, rate_seconds=4.0)

# The study of the user's own applications.
APPS = "apps"
# The ladder on several interpreters, or with several versions of a package.
VERSIONS = "versions"
# Hot and cold caches: see `heat.py`.
HEAT = "heat"
LIBRARY = "the library alone"
FLOOR, OWN, AGAIN, FLASK = "raw callable", "wsgi_core", "wsgi_core again", "Flask"
# The modules of ``rungs/``, by the names of the applications in the report.
LADDER = {
    FLOOR: "raw",
    "+ Werkzeug's Request": "with_request",
    "+ Response": "werkzeug_objects",
    "+ routing": "with_routing",
    "+ contexts": "with_contexts",
    "+ hooks and error handling": "with_hooks",
    OWN: "core",
    AGAIN: "core",
    FLASK: "flask_app",
}
RUNGS = LADDER | {
    "Werkzeug objects": "werkzeug_objects",
    "Falcon": "falcon_app",
    "Bottle": "bottle_app",
    "Django": "django_app",
    "Starlette": "starlette_app",
    "FastAPI": "fastapi_app",
}
PAIR = (OWN, FLASK)
WSGI_PEERS = (FLOOR, "Falcon", "Bottle", "Werkzeug objects", OWN, AGAIN, FLASK)


def rung(name: str, **options: Any) -> Contender:
    """Return the rung ``name`` as a contender. ``options`` are the arguments of the rung's ``create_app``."""
    return Contender(name, _factory(name), options)


def _factory(name: str) -> str:
    return f"loadtests.rungs.{RUNGS[name]}:create_app"


def rungs(names: Iterable[str], **options: Any) -> tuple[Contender, ...]:
    """Return the rungs ``names`` as contenders. ``options`` are the arguments of each rung's ``create_app``."""
    return tuple(rung(name, **options) for name in names)


ASGI_DRIVER = Contender("ASGI driver", "loadtests.rungs.work:asgi_driver_app", protocol=ASGI, is_driver=True)
ASGI_PEERS = tuple(Contender(f"{name} (ASGI)", _factory(name), protocol=ASGI) for name in ("Starlette", "FastAPI"))
_CORS = ("access-control-allow-origin",)
_PIPELINE = ("churn_probability", "model_version")


def _tutorial(name: str, via: str, *own_fields: str) -> Contender:
    factory = "loadtests.rungs.flask_tutorial:create_app"
    return Contender(name, factory, {"via": via}, own_headers=_CORS, own_fields=own_fields)


def _case(key: str, title: str, library: str = "") -> Experiment:
    """Return the experiment of the case ``key``, with wsgi_core and Flask as contenders.

    If ``library`` is given, it names a function of ``rungs/library.py``. The application that this function makes is
    the first contender.
    """
    contenders = (
        Contender("wsgi_core", "loadtests.rungs.cases_app:create_app", {"framework": "wsgi_core"}),
        Contender("Flask", "loadtests.rungs.cases_app:create_app", {"framework": "flask"}),
    )
    alone = (Contender(LIBRARY, f"loadtests.rungs.library:{library}"),) if library else ()
    return Experiment(key, title, key, (*alone, *contenders))


def phase_name(framework: str, phase: str) -> str:
    """Return the name of the contender that runs a request of ``framework`` up to the end of ``phase``."""
    return f"{framework}: {phase}"


def _phases(framework: str) -> tuple[Contender, ...]:
    return tuple(
        Contender(
            phase_name(framework, phase),
            "loadtests.rungs.phases:create_app",
            {"framework": _factory(framework), "phases": number},
        )
        for number, phase in enumerate(PHASES, start=1)
    )


def _routes(count: int) -> tuple[Contender, Contender]:
    unit = "route" if count == 1 else "routes"
    factory = "loadtests.rungs.cases_app:create_routes_app"
    return (
        Contender(f"wsgi_core, {count} {unit}", factory, {"framework": "wsgi_core", "routes": count}),
        Contender(f"Flask, {count} {unit}", factory, {"framework": "flask", "routes": count}),
    )


NULL = Experiment(
    "null", "The null model: a function that does no work", "predict", rungs(LADDER, model="null"), ladder=True
)
CHURN = Experiment("churn", "The model churn on rows of its data", "predict", rungs(LADDER, model="churn"), ladder=True)
HOOKS = Experiment(
    "hooks", "The null model, with one before, one after and one teardown function", "predict", rungs(PAIR, hooks=True)
)
PEERS = Experiment("peers", "Other frameworks, with a model that does nothing", "predict", rungs(WSGI_PEERS))
ALL_PEERS = Experiment(
    "peers",
    "Other frameworks, with a model that does nothing; the ASGI frameworks are called directly, without a server",
    "predict",
    (*rungs((*WSGI_PEERS, "Django")), ASGI_DRIVER, *ASGI_PEERS),
    group="peers",
)
TUTORIAL = Experiment(
    "tutorial",
    "From Flask with churn to Flask as in tutorials, step by step",
    "predict",
    (
        rung(FLASK, model="churn"),
        _tutorial("+ flask-cors", "ONNX"),
        _tutorial("scikit-learn in place of ONNX", "array", *_PIPELINE),
        _tutorial("Flask as tutorials have it", "DataFrame", *_PIPELINE),
    ),
    ladder=True,
    group="tutorial",
)
CASES = (
    _case("converter", "A route with a converter, `/v/<int:number>`"),
    _case("not_found", "A path that no route has: 404"),
    _case("json_error", "An exception that an error handler answers with JSON"),
    _case("body_64k", "A JSON body of 64 KB", "create_body_app"),
    _case("session", "A session read and written", "create_session_app"),
)
NOT_TERMINATED = Experiment(
    "not_terminated",
    "The null model, behind a server that does not set wsgi.input_terminated",
    "not_terminated",
    rungs(PAIR),
)
WHERE = Experiment(
    "phases",
    "Where the time goes: the null model with its hooks, phase by phase",
    "predict",
    (*_phases(FLASK), *_phases(OWN)),
    reference=phase_name(FLASK, PHASES[-1]),
)
ROUTES = Experiment(
    "routes",
    "A static path among 1, 100 and 1,000 routes",
    "static_route",
    tuple(contender for count in (1, 100, 1000) for contender in _routes(count)),
    reference="Flask, 1 route",
)

_ADDRESS = ("--host", "{host}", "--port", "{port}", "--threads", "{threads}")
_SERVE_APP = (*command("loadtests.load.serve_app")[1:], *_ADDRESS)
_SERVE = ("-m", "wsgi_core", "serve", *_ADDRESS)
_GUNICORN = ("-m", "gunicorn", "--bind", "{host}:{port}", "--workers", "1", "--log-level", "error")

# The values of --servers. "waitress" also selects the load SERVICES, which runs on wsgi-core serve.
SERVERS = ("waitress", "gunicorn", "gthread", "granian", "werkzeug", "uvicorn", "mlserver", "litserve", "bentoml")
POSIX_ONLY = ("gunicorn", "gthread")
OWN_SERVER = "wsgi-core serve"
MODERATE = 0.4


def served_rung(name: str, server: str = "waitress", model: str = "churn") -> Service:
    """Return the service that runs the rung ``name`` on ``server`` (see ``served_app``)."""
    return served_app(name, _factory(name), server, f"model={model!r}")


def served_app(name: str, factory: str, server: str, options: str | None = None) -> Service:
    """Return the service that runs an application on ``server``, which is ``OWN_SERVER`` or one of ``SERVERS``.

    ``factory`` is ``"module:app"`` or ``"module:function"``. If it names a function, ``options`` has the function's
    arguments as Python source, such as ``"model='null'"``, or ``""`` for no arguments. If it names an application,
    ``options`` is None. Model servers are not supported.
    """
    target = factory if options is None else f"{factory}({options})"
    commands = {
        OWN_SERVER: (*_SERVE, "--app"),
        "gunicorn": (*_GUNICORN, "--worker-class", "sync"),
        "gthread": (*_GUNICORN, "--worker-class", "gthread", "--threads", "{threads}"),
    }
    return Service(name, (*commands.get(server, (*_SERVE_APP, "--server", server)), target), server)


def _on(server: str, words: str, names: Sequence[str] = PAIR) -> Load:
    """Return the load that measures the rungs ``names`` on ``server``.

    ``words`` describe the server in the load's title.
    """
    services = tuple(served_rung(name, server) for name in names)
    return Load(f"on_{server}", f"POST /predict with churn, {words}", "locust", services, server, (MODERATE,))


SERVICES = Load(
    "services",
    "POST /predict with churn, the services on wsgi-core serve",
    "locust",
    (Service("wsgi_core", _SERVE), Service("Flask", (*_SERVE, "--framework", "flask"))),
    shares=(MODERATE, 0.6, 0.75),
    latencies=True,
    both_runs=True,
)
OTHER_SERVERS = (
    _on("gunicorn", "gunicorn with a sync worker"),
    _on("gthread", "gunicorn with a gthread worker"),
    _on("werkzeug", "Werkzeug's own server"),
    _on("uvicorn", "uvicorn (ASGI)", ("Starlette", "FastAPI")),
)

# The study "served": what the server, the model, the framework and the service each cost.

NULL_APP, BARE = "null application", "bare "
_NULL, _SERVICE = "loadtests.rungs.work:null_app", "wsgi_core.service:create_app"
_ON_OWN = served_app(NULL_APP, _NULL, OWN_SERVER, "")
# The last server is the reference.
_CONTENDERS = (
    ("granian", "granian"), ("gunicorn, sync", "gunicorn"), ("gunicorn, gthread", "gthread"), ("waitress", "waitress")
)  # fmt: skip


def _on_each(key: str, title: str, own: Service, factory: str) -> Load:
    """Return the load that measures an application on each server. On ``OWN_SERVER``, the service ``own`` runs it."""
    others = (served_app(name, factory, server, "") for name, server in _CONTENDERS)
    return Load(key, title, "closed loop", (replace(own, name=OWN_SERVER), *others), both_runs=True)


SERVED_NULL = _on_each("served_null", "An application that does nothing, on each server", _ON_OWN, _NULL)
SERVED_SERVICE = _on_each(
    "served_service", "POST /predict with churn, the service on each server", SERVICES.services[0], _SERVICE
)
SERVED_PARTS = Load(
    "served_parts",
    "POST /predict with churn on wsgi-core serve, part by part",
    "closed loop",
    (
        replace(_ON_OWN, compared=False),
        served_rung(FLOOR, OWN_SERVER),
        *(replace(served_rung(name, OWN_SERVER), name=BARE + name) for name in PAIR),
        *SERVICES.services,
    ),
    both_runs=True,
    compared="probability",
)
SERVED_PEERS = Load(
    "served_peers",
    "POST /predict with churn, other frameworks: WSGI on waitress, ASGI on uvicorn",
    "closed loop",
    (
        *(replace(served_rung(name, "uvicorn"), name=f"{name} on uvicorn") for name in ("Starlette", "FastAPI")),
        *map(served_rung, (FLOOR, "Falcon", "Bottle", "Django", *PAIR)),
    ),
)
SERVED_GOALS = (
    *(
        Goal(f"the service: {OWN_SERVER} ÷ {name}", "served_service", OWN_SERVER, name, limit, False)
        for name, limit in (("granian", 0.9), ("gunicorn, gthread", 1.7), ("waitress", 1.9))
    ),
    Goal("the service: wsgi_core ÷ Flask", "served_parts", *PAIR, 1.5, False),
    Goal("without the service: wsgi_core ÷ raw callable", "served_parts", BARE + "wsgi_core", FLOOR, 0.9, False),
)

SATURATION = Load(
    "saturation",
    "POST /predict with churn, the rungs on waitress, at saturation",
    "closed loop",
    tuple(map(served_rung, (FLOOR, *PAIR))),
    both_runs=True,
)

# Model servers, each in an environment of its own. They are measured only if --servers names them.
ON_DEMAND = ("mlserver", "litserve", "bentoml")
_RUNTIME = {"CHURN_MODEL": "{churn}", "DO_NOT_TRACK": "1", "ORT_DISABLE_TELEMETRY": "1"}
_MLSERVER = {
    "MLSERVER_HOST": "{host}", "MLSERVER_HTTP_PORT": "{port}", "MLSERVER_GRPC_PORT": "{port2}",
    "MLSERVER_METRICS_PORT": "{port3}", "MLSERVER_DEBUG": "false",
    "MLSERVER_MODEL_NAME": "churn", "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_runtime.Churn",
}  # fmt: skip


def _mlserver(name: str, workers: int) -> Service:
    """Return the service MLServer with ``workers`` inference processes. With 0, the main process runs the model."""
    return Service(
        name,
        ("-c", "from mlserver.cli import main; main()", "start", "{model_servers}"),
        # MLServer's workers do not start with a later uvloop, which no longer creates an event loop by itself.
        requires=("mlserver>=1.7,<2", "uvloop<0.22"),
        environ=_RUNTIME | _MLSERVER | {"MLSERVER_PARALLEL_WORKERS": str(workers)},
        ready="/v2/models/churn/ready",
    )


def _model_server(server: str, title: str, case: str, *services: Service) -> Load:
    """Return the load that measures this project's service and the ``services`` of a model server.

    All services run the same model file and get the same rows.
    """
    together = (SERVICES.services[0], *services)
    return Load(
        f"on_{server}", title, "closed loop", together, server, (MODERATE,), True, case=case, compared="probability"
    )


_LITSERVE = Service(
    "LitServe", ("{model_servers}/litserve_app.py", "{port}"),
    requires=("litserve>=0.2,<0.3",), environ=_RUNTIME, ready="/health",
)  # fmt: skip
_BENTOML = Service(
    "BentoML",
    ("-m", "bentoml", "serve", "bentoml_app:Churn", "--working-dir={model_servers}", "--host={host}", "--port={port}"),
    requires=("bentoml>=1.4,<2",), environ=_RUNTIME | {"BENTOML_HOME": "{folder}"}, ready="/readyz",
)  # fmt: skip
MODEL_SERVERS = (
    _model_server(
        "mlserver", "churn by the Open Inference Protocol, beside MLServer", "tensor",
        _mlserver("MLServer", 1), _mlserver("MLServer without a worker", 0),
    ),
    _model_server("litserve", "POST /predict with churn, beside LitServe", "predict", _LITSERVE),
    _model_server("bentoml", "POST /predict with churn, beside BentoML", "predict", _BENTOML),
)  # fmt: skip

CORE_GOALS = (
    Goal("wsgi_core ÷ Flask, null model, no hooks, 12 other routes", "peers", *PAIR, 0.20),
    Goal("wsgi_core ÷ Flask, null model, one before, one after, one teardown function", "hooks", *PAIR, 0.20),
    Goal("wsgi_core ÷ Falcon, the same work", "peers", "wsgi_core", "Falcon", 1.2),
    Goal("wsgi_core ÷ Bottle, the same work", "peers", "wsgi_core", "Bottle", 0.8),
    Goal("wsgi_core ÷ Werkzeug's Request + Response", "peers", "wsgi_core", "Werkzeug objects", 0.6),
    *(Goal(f"{case.title}: ÷ Flask", case.key, *PAIR, 0.35) for case in CASES),
    Goal("100 routes ÷ 1 route, static path", "routes", "wsgi_core, 100 routes", "wsgi_core, 1 route", 1.1),
    Goal("1,000 routes ÷ 1 route, static path", "routes", "wsgi_core, 1000 routes", "wsgi_core, 1 route", 1.1),
    Goal("requests a second with churn on waitress, ÷ Flask's", "saturation", *PAIR, 1.35, False),
    Goal("requests a second with churn on waitress, ÷ the raw callable's", "saturation", OWN, FLOOR, 0.85, False),
    Goal("import wsgi_core ÷ import flask, wall time", "import_wall", "wsgi_core", "flask", 0.5),
    Goal("import wsgi_core ÷ import flask, memory", "import_memory", "wsgi_core", "flask", 0.5),
)

_IN_PROCESS = (NULL, CHURN, HOOKS, TUTORIAL, ALL_PEERS)
STUDIES = {
    "service": Study(
        "service",
        "From the bare callable to Flask, in process and served",
        _IN_PROCESS,
        (SERVICES, *OTHER_SERVERS),
        models=True,
    ),
    "curve": Study("curve", "When does the framework matter?", (), (), models=True),
    "ladder": Study("ladder", "From the bare callable to Flask, in process", _IN_PROCESS, ()),
    "served": Study(
        "served",
        "What the server, the model, the framework and the service cost",
        (CHURN,),
        (SERVED_NULL, SERVED_SERVICE, SERVED_PARTS, SERVED_PEERS, *MODEL_SERVERS),
        SERVED_GOALS,
    ),
    "core": Study(
        "core",
        "The core, Flask and other frameworks, case by case",
        (PEERS, HOOKS, *CASES, NOT_TERMINATED, ROUTES, WHERE),
        (SATURATION,),
        CORE_GOALS,
        imports=True,
    ),
}


def budget_of(study: Study, quick: bool) -> Budget:
    """Return the budget of ``study``. If ``quick`` is true, the budget is shorter, so intervals are wider."""
    budgets = {
        "core": (FULL_CORE, QUICK_CORE),
        "served": (SERVED_FULL, SERVED_QUICK),
        APPS: (APPS_FULL, APPS_QUICK),
        HEAT: (HEAT_FULL, HEAT_QUICK),
        VERSIONS: (VERSIONS_FULL, VERSIONS_QUICK),
    }
    return budgets.get(study.key, (FULL, QUICK))[quick]


def chosen(study: Study, quick: bool, servers: Collection[str] = ()) -> Study:
    """Return ``study`` with only the loads to measure.

    If ``servers`` is given, the study keeps only the loads on these servers. Otherwise it keeps the loads of a quick
    run or of a full run, as ``quick`` says. In a quick run, each load keeps only its first share. If the study has
    loads, a quick run does not measure the models.
    """
    wanted = [load for load in study.loads if _is_wanted(load, quick, servers)]
    if quick:
        wanted = [replace(load, shares=load.shares[:1]) for load in wanted]
    return replace(study, loads=tuple(wanted), models=study.models and not (quick and study.loads))


def _is_wanted(load: Load, quick: bool, servers: Collection[str]) -> bool:
    if servers:
        return load.server in servers or any(service.server in servers for service in load.services)
    return load.both_runs or not (quick or load.server in ON_DEMAND)


def runnable(study: Study) -> tuple[Study, list[str]]:
    """Return the study without the services that cannot run on this machine, and a list of messages.

    A message has the title of a load, and the reason why one of its services cannot run. If none of a load's services
    can run, the load is left out.
    """
    loads, said = list[Load](), list[str]()
    for load in study.loads:
        said += [f"{load.title}: {why}" for why in dict.fromkeys(map(_obstacle, load.services)) if why]
        if services := tuple(service for service in load.services if not _obstacle(service)):
            loads.append(replace(load, services=services))
    return replace(study, loads=tuple(loads)), said


def _obstacle(service: Service) -> str:
    """Return why this machine cannot run the service, or "" if no reason is known."""
    if service.server in POSIX_ONLY and sys.platform == "win32":
        return "gunicorn does not run on Windows"
    missing = service.server == "granian" and find_spec("granian") is None
    return "granian is not installed" if missing else ""


def with_requests(study: Study, rows: Sequence[Row]) -> Study:
    """Return the study with requests for all experiments and loads.

    An experiment or a load without requests gets the requests of its case, which are made from ``rows``.
    """
    experiments = [replace(one, requests=one.requests or requests_for(one.case, rows)) for one in study.experiments]
    loads = [replace(one, requests=one.requests or requests_for(one.case, rows)) for one in study.loads]
    return replace(study, experiments=tuple(experiments), loads=tuple(loads))
