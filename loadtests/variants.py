"""Measure the ladder on several interpreters or with several versions of a package: ``--python PATH``, ``--with SPEC``.

A *variant* is an interpreter with one version of a package. Each variant has its own virtual environment. The measuring
processes of the variants alternate.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace

from click import UsageError

from loadtests.environments import interpreter, own_packages, versions
from loadtests.instrument.inprocess import Workers
from loadtests.studies import NULL, VERSIONS, Study

# The packages other than Flask that the ladder's rungs import.
NEEDED = ("asgiref", "blinker", "click", "itsdangerous", "jinja2", "waitress", "werkzeug")
FLASK = "flask==3.1.3"
REPORTED = ("flask", "werkzeug")


def study_of(pythons: Sequence[str], packages: Sequence[str], timeout: float) -> tuple[Study, dict[str, Workers]]:
    """Return the study, and a dict with the ``Workers`` that start the measuring processes of each variant.

    The keys of the dict are the names of the groups of experiments. There is one group for each variant. Raises
    ``RunFailed`` if an environment cannot be created. Raises ``UsageError`` if two variants have the same name.
    """
    experiments, workers = [], {}
    for python in pythons or (sys.executable,):
        for package in packages or (FLASK,):
            name, started = _variant(python, package, timeout)
            if name in workers:
                raise UsageError(f"two variants are the same: {name}")
            workers[name] = started
            experiments.append(replace(NULL, key=f"null, {name}", title=name, group=name))
    return Study(VERSIONS, "The ladder on interpreters and versions", tuple(experiments), ()), workers


def _variant(python: str, package: str, timeout: float) -> tuple[str, Workers]:
    required = re.split(r"[^\w.-]", package)[0].lower()
    flask = () if required == "flask" else (FLASK,)
    found = interpreter([package, *flask, *NEEDED], python, runtime=False)
    about = versions(found, REPORTED)
    name = f"Python {about['Python']}, Flask {about['flask']}, Werkzeug {about['werkzeug']}"
    name += "" if required in REPORTED else f", {package}"
    return name, Workers(timeout=timeout, python=found, root=own_packages(found))
