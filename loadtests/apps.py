"""Compare the user's own applications: ``wsgi-core overhead --apps mine=module:app other=module:app``.

An *experiment* sends the same requests to all applications in process. A *contender* is an application in an
experiment. The first application is a contender twice, so that the difference between its two costs shows the noise. A
*load* measures applications behind a server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from click import UsageError

from loadtests.http_file import read_requests
from loadtests.instrument.experiment import ANY, ASGI, WSGI, Contender, Experiment, Hooks
from loadtests.instrument.inprocess import Answered, Workers
from loadtests.instrument.request import Request
from loadtests.report.analysis import AGAIN_SUFFIX
from loadtests.studies import (
    APPS,
    ASGI_DRIVER,
    MODERATE,
    ON_DEMAND,
    POSIX_ONLY,
    SERVERS,
    Load,
    Service,
    Study,
    served_app,
)

LOADER = "loadtests.instrument.app_loader:load_app"
FORM = "NAME=MODULE:APP, for example mine=myproject.wsgi:app or mine=myproject:create_app()"


def parse(text: str) -> Contender:
    """Return the contender that ``text`` describes, such as ``"mine=module:app"``.

    Raises ``UsageError`` if ``text`` does not have this form, or if the name ends with ``AGAIN_SUFFIX``.
    """
    name, equals, target = text.partition("=")
    module, colon, attribute = target.partition(":")
    if not (name.strip() and equals and module and colon and attribute):
        raise UsageError(f"{text!r}: expected {FORM}")
    if name.endswith(AGAIN_SUFFIX):
        raise UsageError(f"{name!r}: names must not end in {AGAIN_SUFFIX!r}")
    return Contender(name.strip(), LOADER, {"target": target.strip()}, protocol=ANY)


def parse_all(texts: Sequence[str]) -> list[Contender]:
    """Return the contenders that ``texts`` describe (see ``parse``).

    Raises ``UsageError`` if a text is not valid, or if two applications have the same name.
    """
    apps = [parse(text) for text in texts]
    names = [app.name for app in apps]
    if len(set(names)) < len(names):
        raise UsageError(f"two applications have the same name: {', '.join(names)}")
    return apps


def study_of(apps: Sequence[Contender], request_files: Sequence[Path], expected: int = 0) -> Study:
    """Return the study of the applications, with one experiment for each file in ``request_files``.

    Without files, the study has one experiment, which requests ``GET /``. ``expected`` is the status code that every
    response must have; 0 accepts any 2xx. Raises ``HttpFileError`` if a file cannot be read or is not valid.
    """
    uses = Counter(path.name for path in request_files)
    keys = {path: path.name if uses[path.name] == 1 else path.as_posix() for path in request_files}
    files = {keys[path]: tuple(read_requests(path)) for path in request_files} or {"GET /": (Request("GET", "/"),)}
    experiments = [
        experiment_of(apps, key, [replace(one, status=expected) for one in requests]) for key, requests in files.items()
    ]
    return Study(APPS, " and ".join(app.name for app in apps), tuple(experiments), ())


def experiment_of(apps: Sequence[Contender], key: str, requests: Sequence[Request]) -> Experiment:
    """Return the experiment that sends ``requests`` to all applications, and to the first application twice."""
    first, *others = apps
    contenders = (first, replace(first, name=first.name + AGAIN_SUFFIX), *others)
    return Experiment(key, _title(key, requests), "", contenders, first.name, requests=tuple(requests), alike=False)


def settled(experiment: Experiment, answers: dict[str, Answered]) -> Experiment:
    """Return ``experiment`` with the protocol of each application, WSGI or ASGI, as found in ``answers``.

    Names of ASGI applications get the suffix "(ASGI)". If there is an ASGI application, the experiment also gets the
    ASGI driver. The ASGI driver does nothing, and its cost is subtracted from the costs of the ASGI applications.
    """
    contenders = [_settled(one, answers[one.name]) for one in experiment.contenders]
    reference = contenders[0].name
    if any(one.protocol == ASGI for one in contenders):
        contenders.append(ASGI_DRIVER)
    return replace(experiment, contenders=tuple(contenders), reference=reference)


def _settled(contender: Contender, found: Answered) -> Contender:
    if found.protocol != ASGI:
        return replace(contender, protocol=found.protocol)
    name, again, _ = contender.name.partition(AGAIN_SUFFIX)
    return replace(contender, protocol=ASGI, name=f"{name} (ASGI){again}")


def _title(key: str, requests: Sequence[Request]) -> str:
    more = f" and {len(requests) - 1} more" if len(requests) > 1 else ""
    return f"{requests[0]}{more}" if key == "GET /" else f"{requests[0]}{more} ({key})"


def prepared(study: Study, workers: Workers, served: bool) -> tuple[Study, list[str]]:
    """Return ``study`` with the protocols of the applications, and notes on how their responses differ.

    To find the protocols and the differences, send every request once to each application. If ``served`` is true, the
    study also measures the applications behind servers. Raises ``RunFailed`` if an application cannot be loaded or
    fails. Raises ``Mismatch`` if a response is missing or has an unexpected status.
    """
    answers = workers.try_out(study.experiments)
    experiments = tuple(settled(one, answers[one.key]) for one in study.experiments)
    loads = tuple(load for one in experiments for load in _loads(one, workers.hooks)) if served else ()
    return replace(study, experiments=experiments, loads=loads), notes_on(answers)


def _loads(experiment: Experiment, hooks: Hooks) -> Iterator[Load]:
    """Yield a load for each server that can serve at least one of the applications.

    Model servers are omitted, because they serve only their own applications. If ``hooks.setup`` is set, gunicorn is
    omitted too, because its command cannot call this function.
    """
    for server in SERVERS:
        if server in ON_DEMAND or (hooks.setup and server in POSIX_ONLY):
            continue
        wanted = ASGI if server == "uvicorn" else WSGI
        served = [one for one in experiment.contenders if one.protocol == wanted and "target" in one.options]
        services = [_service(one, server, hooks) for one in served if not one.name.endswith(AGAIN_SUFFIX)]
        if services:
            yield Load(
                f"{experiment.key} on {server}",
                f"{experiment.title} on {server}",
                "closed loop",
                tuple(services),
                server,
                (MODERATE, 0.6, 0.75),
                latencies=True,
                both_runs=server in ("waitress", "uvicorn"),
                requests=experiment.requests,
                compared="nothing",
            )


def _service(contender: Contender, server: str, hooks: Hooks) -> Service:
    service = served_app(contender.name, contender.options["target"], server)
    setup = ("--setup", hooks.setup) if hooks.setup else ()
    return replace(service, arguments=(*service.arguments, *setup))


def notes_on(answers: dict[str, dict[str, Answered]]) -> list[str]:
    """Return a note for each application whose responses differ from those of the first application.

    ``answers`` is the result of ``Workers.try_out``: a dict by the experiment's key and then by the application's name.
    """
    said: list[str] = []
    for by_name in answers.values():
        first = next(iter(by_name))
        said += [_different(first, name, one.differences) for name, one in by_name.items() if one.differences]
    return said


def _different(first: str, name: str, found: Sequence[str]) -> str:
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    if name == first + AGAIN_SUFFIX:
        return f"{first} responds differently when the same request is sent twice: {found[0]}{more}"
    return f"{name} and {first} respond differently, so their times measure different work: {found[0]}{more}"
