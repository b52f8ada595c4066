"""Applications that do one thing and answer nothing: what a part of a request costs by itself.

They read no body. What the driver's empty application costs is taken off them as off every contender, and what is
left is the part alone.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from loadtests.rungs.work import load_model, to_json

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def _doing(work: Callable[[], object]) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        work()
        start_response("200 OK", [])
        return ()

    return application


def create_model_app(model: str, rows: list[Any]) -> WSGIApplication:
    """Make an application that asks the model about rows that are parsed already: no JSON."""
    predict = load_model(model)
    following = itertools.cycle(rows).__next__
    return _doing(lambda: predict(following()))


def create_frame_app(rows: list[Any]) -> WSGIApplication:
    """One row into a pandas DataFrame and out of it as an array, as pipelines of tutorials do."""
    import pandas

    following = itertools.cycle(rows).__next__
    return _doing(lambda: pandas.DataFrame([following()]).to_numpy())


def create_json_app(floats: int, write: bool = False) -> WSGIApplication:
    """Make an application that reads so many floats out of JSON, or writes them if ``write``."""
    rng = random.Random(floats)
    values: list[Any] = [rng.random() for _ in range(floats)]
    text = json.dumps(values)
    return _doing(lambda: to_json(values)) if write else _doing(lambda: json.loads(text))
