"""Any WSGI applications against each other: ``wsgi-core overhead --apps mine=module:app other=module:app``.

The applications are imported in every measuring process, get the same requests in the same rounds, and are measured
like the rungs. The first one takes part twice: by how much it seems to differ from itself nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.instrument import trials
from loadtests.instrument.app_loader import AppError
from loadtests.instrument.request import Request
from loadtests.instrument.trials import Pace, Trial
from loadtests.report.analysis import AGAIN_SUFFIX
from loadtests.request_file import read_requests
from loadtests.studies import Contender

QUICK = Pace(processes=10, seconds=1.5, warm_up=0.1, block_ms=4.0)
FULL = Pace(processes=20, seconds=6.0, warm_up=0.3, block_ms=8.0)
FORM = "NAME=MODULE:APP, for example mine=myproject.wsgi:app or mine=myproject:create_app()"


@dataclass(frozen=True)
class App:
    """An application by the name it has in the report, and where it is imported from."""

    name: str
    target: str


def parse(text: str) -> App:
    """``"mine=module:app"``; raises ``AppError`` that shows the form."""
    name, equals, target = text.partition("=")
    module, colon, attribute = target.partition(":")
    if not (name.strip() and equals and module and colon and attribute):
        raise AppError(f"{text!r}: expected {FORM}")
    if name.endswith(AGAIN_SUFFIX):
        raise AppError(f"{name!r}: names that end in {AGAIN_SUFFIX!r} are taken")
    return App(name.strip(), target.strip())


def parse_all(texts: Sequence[str]) -> list[App]:
    """Each of them, with names that differ; raises ``AppError``."""
    apps = [parse(text) for text in texts]
    names = [app.name for app in apps]
    if len(set(names)) < len(names):
        raise AppError(f"two applications have the same name: {', '.join(names)}")
    return apps


def trials_of(apps: Sequence[App], request_files: Sequence[Path]) -> list[Trial]:
    """One trial for each file of requests, or one of ``GET /`` without any; raises ``RequestFileError``."""
    contenders = [_contender(app.name, app) for app in apps]
    contenders.insert(1, _contender(apps[0].name + AGAIN_SUFFIX, apps[0]))
    given = {path.name: tuple(read_requests(path)) for path in request_files} or {"GET /": (Request("GET", "/"),)}
    return [
        Trial(key, _title(key, requests), tuple(contenders), requests, apps[0].name, alike=False)
        for key, requests in given.items()
    ]


def _contender(name: str, app: App) -> Contender:
    return Contender(name, "loadtests.instrument.app_loader:load_app", {"target": app.target})


def _title(key: str, requests: Sequence[Request]) -> str:
    first = f"{requests[0].method} {requests[0].path}"
    more = f" and {len(requests) - 1} more" if len(requests) > 1 else ""
    return first + more if key == "GET /" else f"{first}{more} ({key})"


def differences(answers: dict[str, dict[str, trials.Answered]]) -> list[str]:
    """What a reader has to know about the answers before comparing times: who differs from the first, and errors."""
    said: list[str] = []
    for by_name in answers.values():
        (first, reference), *others = by_name.items()
        for name, answered in ((first, reference), *others):
            if answered.status[0] not in "123" and not name.endswith(AGAIN_SUFFIX):
                said.append(f"{name} answers {answered.status}")
        for name, answered in others:
            if answered.differences:
                said.append(_different(first, name, answered.differences))
    return said


def _different(first: str, name: str, found: Sequence[str]) -> str:
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    if name == first + AGAIN_SUFFIX:
        return f"{first} does not answer the same request twice alike: {found[0]}{more}"
    return f"{name} and {first} answer differently, so their times are of different work: {found[0]}{more}"
