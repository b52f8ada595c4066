"""Applications that do one part of a request's work and send an empty response, to measure the cost of that part.

They do not read the request's body.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from loadtests.rungs.work import load_model, to_json


def _doing(work: Callable[[], object]) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        work()
        start_response("200 OK", [])
        return ()

    return application


def create_model_app(model: str, rows: list[Any]) -> WSGIApplication:
    """Make an application that calls the model without JSON. Each request uses the next of ``rows``."""
    predict = load_model(model)
    following = itertools.cycle(rows).__next__
    return _doing(lambda: predict(following()))


def create_frame_app(rows: list[Any]) -> WSGIApplication:
    """Make an application that converts a row to a DataFrame and back to an array, as tutorials do.

    Each request uses the next of ``rows``.
    """
    import pandas

    following = itertools.cycle(rows).__next__
    return _doing(lambda: pandas.DataFrame([following()]).to_numpy())


def create_json_app(floats: int, write: bool = False) -> WSGIApplication:
    """Make an application that parses a JSON list of ``floats`` floats. If ``write`` is true, it writes such a list."""
    rng = random.Random(floats)
    values: list[Any] = [rng.random() for _ in range(floats)]
    text = json.dumps(values)
    return _doing(lambda: to_json(values)) if write else _doing(lambda: json.loads(text))
