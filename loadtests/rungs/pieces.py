"""Applications that do one thing and send an empty response: the cost of one part of a request.

They do not read the body. The cost of the driver's empty application is subtracted from theirs, as from every
contender's.
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
    """Make an application that calls the model with rows that are already parsed, without JSON."""
    predict = load_model(model)
    following = itertools.cycle(rows).__next__
    return _doing(lambda: predict(following()))


def create_frame_app(rows: list[Any]) -> WSGIApplication:
    """Make an application that puts a row into a DataFrame and takes it out as an array, as tutorials' pipelines do."""
    import pandas

    following = itertools.cycle(rows).__next__
    return _doing(lambda: pandas.DataFrame([following()]).to_numpy())


def create_json_app(floats: int, write: bool = False) -> WSGIApplication:
    """Make an application that parses ``floats`` floats from JSON, or writes them if ``write``."""
    rng = random.Random(floats)
    values: list[Any] = [rng.random() for _ in range(floats)]
    text = json.dumps(values)
    return _doing(lambda: to_json(values)) if write else _doing(lambda: json.loads(text))
