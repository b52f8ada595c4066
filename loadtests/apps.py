"""Measure the user's own applications against each other: ``wsgi-core overhead --apps mine=module:app
other=module:app``.

Each measuring process imports all applications, and sends them the same requests in alternating blocks. The first
application is measured twice: the difference between its two measurements shows the noise.
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
    """Return the contender that a specification such as ``"mine=module:app"`` describes.

    Raises ``UsageError`` if the specification does not have this form, or if the name ends with ``AGAIN_SUFFIX``.
    """
    name, equals, target = text.partition("=")
    module, colon, attribute = target.partition(":")
    if not (name.strip() and equals and module and colon and attribute):
        raise UsageError(f"{text!r}: expected {FORM}")
    if name.endswith(AGAIN_SUFFIX):
        raise UsageError(f"{name!r}: names must not end in {AGAIN_SUFFIX!r}")
    return Contender(name.strip(), LOADER, {"target": target.strip()}, protocol=ANY)


def parse_all(texts: Sequence[str]) -> list[Contender]:
    """Return the contenders of all specifications.

    Raises ``UsageError`` if a specification is not valid, or if two applications have the same name.
    """
    apps = [parse(text) for text in texts]
    names = [app.name for app in apps]
    if len(set(names)) < len(names):
        raise UsageError(f"two applications have the same name: {', '.join(names)}")
    return apps


def study_of(apps: Sequence[Contender], request_files: Sequence[Path], expected: int = 0) -> Study:
    """Return the study of the applications, with one experiment for each file of requests.

    An experiment is named after its file. If several files have the same name, the experiments have the paths as names.
    If there are no files, the study has one experiment, which requests ``GET /``. ``expected`` is the status code that
    every response must have. If it is 0, any 2xx is accepted. Raises ``HttpFileError`` if a file cannot be read or is
    not valid.
    """
    uses = Counter(path.name for path in request_files)
    keys = {path: path.name if uses[path.name] == 1 else path.as_posix() for path in request_files}
    files = {keys[path]: tuple(read_requests(path)) for path in request_files} or {"GET /": (Request("GET", "/"),)}
    experiments = [
        experiment_of(apps, key, [replace(one, status=expected) for one in requests]) for key, requests in files.items()
    ]
    return Study(APPS, " and ".join(app.name for app in apps), tuple(experiments), ())


def experiment_of(apps: Sequence[Contender], key: str, requests: Sequence[Request]) -> Experiment:
    """Return the experiment that sends ``requests`` to all applications.

    The experiment has the first application twice, to measure the noise.
    """
    first, *others = apps
    contenders = (first, replace(first, name=first.name + AGAIN_SUFFIX), *others)
    return Experiment(key, _title(key, requests), "", contenders, first.name, requests=tuple(requests), alike=False)


def settled(experiment: Experiment, answers: dict[str, Answered]) -> Experiment:
    """Return the experiment with the protocol of each application, as found in ``answers``.

    The names of ASGI applications get the suffix "(ASGI)". If there is an ASGI application, the experiment also gets
    the ASGI driver: an application that does nothing, and whose cost is subtracted.
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
    """Send every request once to each application. Return the study with the protocols found, and notes about the
    responses.

    If ``served`` is true, the study also measures the applications behind servers. Raises ``RunFailed`` if an
    application cannot be loaded or fails, and ``Mismatch`` if a response is missing or has an unexpected status.
    """
    answers = workers.try_out(study.experiments)
    experiments = tuple(settled(one, answers[one.key]) for one in study.experiments)
    loads = tuple(load for one in experiments for load in _loads(one, workers.hooks)) if served else ()
    return replace(study, experiments=experiments, loads=loads), notes_on(answers)


def _loads(experiment: Experiment, hooks: Hooks) -> Iterator[Load]:
    """Yield a load for each server that can serve at least one of the applications.

    The model servers are omitted, because they serve only their own applications. If the user gave ``--setup``,
    gunicorn is omitted too, because its command cannot call the setup function.
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
    """Return a note for each application that does not respond like the first application of its experiment.

    ``answers`` is the result of ``Workers.try_out``. Its keys are the experiment's key and the application's name.
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
