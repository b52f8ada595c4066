"""Let each application be visited on one framework, and print as JSON what the client saw."""

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
    """What the client was answered, or the error that ended its visit; and whose names the extension works with."""
    seen = Visitor(Client(lambda environ, start: []))
    error = ""
    try:
        app = importlib.import_module(f"{__package__}.apps.{name}")
        seen.client = Client(app.create_app())
        app.visit(seen)
    except Exception:  # Whatever it is, it is this extension's and must not hide the others' results.
        error = traceback.format_exc()
    return {"answers": [asdict(answer) for answer in seen.answers], "error": error, "names_of": names_of(name)}


def names_of(package: str) -> list[str]:
    """The frameworks that define something which a module of the package has imported."""
    modules = [module for name, module in sys.modules.items() if f"{name}.".startswith(f"{package}.")]
    values = [value for module in modules for value in vars(module).values()]
    homes = {str(getattr(value, "__module__", "")).partition(".")[0] for value in values}
    return sorted(homes & FRAMEWORKS)


def loaded() -> list[str]:
    """The frameworks of which a module was executed here. An alias was not: it has no spec."""
    specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
    return sorted({spec.name.partition(".")[0] for spec in specs if spec} & FRAMEWORKS)


def main() -> None:
    """The command."""
    said = argparse.ArgumentParser(prog="python -m tests.conformance.extensions", description=__doc__)
    said.add_argument("subject", choices=["core", "real"], help="who answers for Flask")
    if said.parse_args().subject == "core":
        flask_alias.install()
    apps = {name: visited(name) for name in NAMES}
    flask = importlib.import_module("flask").Flask
    print(json.dumps({"flask": f"{flask.__module__}.{flask.__name__}", "loaded": loaded(), "apps": apps}, indent=1))


if __name__ == "__main__":
    main()
