"""Timings of a request: its phases, and the runs of models."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from wsgi_core.inference import InputError, Model, ModelRepository, default_models_dir, timing
from wsgi_core.inference.work import Times, Work, current


@pytest.fixture
def times() -> Iterator[Times]:
    times: Times = {}
    with Work(times=times):
        yield times


@pytest.fixture(scope="module")
def churn() -> Model:
    return ModelRepository(default_models_dir()).get("churn")


def test_a_prediction_is_validation_and_inference(churn: Model, times: Times):
    assert churn.card is not None
    churn.predict(churn.card.example)
    assert list(times) == ["validate", "infer"]
    assert min(times.values()) > 0
    before = dict(times)
    churn.infer({churn.input_name: np.ones((2, 5), np.float32)})
    assert all(times[name] > before[name] for name in before)


def test_what_is_refused_was_validated_and_never_run(churn: Model, times: Times):
    with pytest.raises(InputError):
        churn.infer({"nothing": np.ones(1, np.float32)})
    with pytest.raises(InputError):
        churn.read_row({})
    assert list(times) == ["validate"]


def test_every_run_is_told_of_but_not_those_that_warm_up(monkeypatch: pytest.MonkeyPatch):
    runs: list[tuple[str, str]] = []
    monkeypatch.setattr(timing, "_observers", [])
    timing.observe_runs(observe := lambda model, seconds: runs.append(model))
    timing.observe_runs(observe)
    churn = ModelRepository(default_models_dir()).get("churn")
    assert runs == []
    assert churn.card is not None
    churn.predict(churn.card.example)
    assert runs == [("churn", "1")]


def test_without_a_request_nothing_is_added():
    timing.add("parse", 1.0)
    assert current.get() is None
    with Work():
        timing.add("parse", 1.0)
