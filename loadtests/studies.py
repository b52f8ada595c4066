"""What is measured: the studies, their experiments and contenders, the figures they answer for, and the time.

A study is data. Adding a rung is a file in ``rungs/`` and a line here; nothing else knows the names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from loadtests.rungs.phases import PHASES


@dataclass(frozen=True)
class Contender:
    """One application in an experiment: ``factory`` is ``"module:name"``, called with ``options``."""

    name: str
    factory: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """Contenders that are asked the same and must answer the same, timed in the same rounds.

    Ratios are given to the ``reference``. In a ``ladder`` each contender is the one before it and one step more.
    """

    key: str
    title: str
    case: str
    contenders: tuple[Contender, ...]
    reference: str = "Flask"
    ladder: bool = False


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
    """A server process to load: the arguments after ``python``; ``{port}`` and ``{threads}`` are filled in."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Load:
    """Services that are loaded in turn, with Locust's or with the lean generator."""

    key: str
    title: str
    generator: str
    services: tuple[Service, ...]


@dataclass(frozen=True)
class Study:
    """All that one command measures."""

    key: str
    title: str
    experiments: tuple[Experiment, ...]
    loads: tuple[Load, ...]
    goals: tuple[Goal, ...] = ()
    imports: bool = False


@dataclass(frozen=True)
class Budget:
    """How long is measured. Seconds are of wall time; ``pairs`` are pairs of served runs, each with new servers.

    On a slow machine repetitions are left out where the ``deadline``, in seconds from the start, would be passed.
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


QUICK = Budget(10, 0.7, 0.06, 4.0, 5, 2.2, 0.5, 4, 85.0)
FULL = Budget(20, 6.0, 0.2, 8.0, 10, 10.0, 1.5, 12)
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
        _rung("Werkzeug objects", "werkzeug_objects", model=model),
        _rung("wsgi_core", "core", model=model),
        _rung(AGAIN, "core", model=model),
        _rung("Flask", "flask_app", model=model),
    )


def _peers() -> tuple[Contender, ...]:
    falcon, bottle = _rung("Falcon", "falcon_app"), _rung("Bottle", "bottle_app")
    raw, werkzeug, *rest = _ladder("null")
    return (raw, falcon, bottle, werkzeug, *rest)


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
PEERS = Experiment("peers", "The null model, with the peers", "predict", _peers())
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

_SERVE = ("-m", "wsgi_core", "serve", "--port", "{port}", "--threads", "{threads}")
_SERVE_RUNG = ("-m", "loadtests.serve_rung", "--port", "{port}", "--threads", "{threads}")

SERVICES = Load(
    "services",
    "POST /predict with churn, waitress, Locust",
    "locust",
    (Service("wsgi_core", _SERVE), Service("Flask", (*_SERVE, "--framework", "flask"))),
)


def _served_rung(name: str, module: str) -> Service:
    return Service(name, (*_SERVE_RUNG, f"loadtests.rungs.{module}:create_app"))


SATURATION = Load(
    "saturation",
    "POST /predict with churn, the rungs on waitress, as many requests as it takes",
    "lean",
    (_served_rung("raw callable", "raw"), _served_rung("wsgi_core", "core"), _served_rung("Flask", "flask_app")),
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

STUDIES = {
    "service": Study(
        "service", "From the bare callable to Flask, in process and served", (NULL, CHURN, HOOKS), (SERVICES,)
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
