"""Send the requests of each application on one framework, and print the responses as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import traceback
from dataclasses import asdict
from typing import Any

from werkzeug.test import Client

from ..flask_suite.plugin import flask_alias
from . import NAMES
from .visitor import Visitor

FRAMEWORKS = {"flask", "wsgi_core"}


def visited(name: str) -> dict[str, Any]:
    """Return the responses, the error that ended the visit or "", and the frameworks whose names the extension uses."""
    seen = Visitor(Client(lambda environ, start: []))
    error = ""
    try:
        app = importlib.import_module(f"{__package__}.apps.{name}")
        seen.client = Client(app.create_app())
        app.visit(seen)
    except Exception:  # An error in one extension must not hide the results of the others.
        error = traceback.format_exc()
    return {"answers": [asdict(answer) for answer in seen.answers], "error": error, "names_of": names_of(name)}


def names_of(package: str) -> list[str]:
    """Return the frameworks that define a class or function that a module of the package has imported."""
    modules = [module for name, module in sys.modules.items() if f"{name}.".startswith(f"{package}.")]
    values = [value for module in modules for value in vars(module).values()]
    homes = {str(getattr(value, "__module__", "")).partition(".")[0] for value in values}
    return sorted(homes & FRAMEWORKS)


def loaded() -> list[str]:
    """Return the frameworks of which this process has executed a module. An alias has no spec, so it does not count."""
    specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
    return sorted({spec.name.partition(".")[0] for spec in specs if spec} & FRAMEWORKS)


def main() -> None:
    """Run the command."""
    said = argparse.ArgumentParser(prog="python -m tests.conformance.extensions", description=__doc__)
    said.add_argument("subject", choices=["core", "real"], help="core: wsgi_core in Flask's place; real: Flask")
    if said.parse_args().subject == "core":
        flask_alias.install()
    apps = {name: visited(name) for name in NAMES}
    flask = importlib.import_module("flask").Flask
    print(json.dumps({"flask": f"{flask.__module__}.{flask.__name__}", "loaded": loaded(), "apps": apps}, indent=1))


if __name__ == "__main__":
    main()
