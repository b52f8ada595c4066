"""Inferences are counted by version and by step, by any thread, and a reload keeps the counts."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.inference.v2.test_infer import body
from wsgi_core.inference import InputError, Model, ModelRepository, default_models_dir
from wsgi_core.inference.v2 import Statistics, infer


@pytest.fixture(scope="module")
def model() -> Model:
    return ModelRepository().get("churn")


def totals(statistics: Statistics, model: Model) -> Any:
    (found,) = statistics.as_json([model])["model_stats"]
    return found


def test_rows_and_runs_and_failures_are_counted_by_any_thread(model: Model) -> None:
    statistics = Statistics()
    assert totals(statistics, model)["inference_count"] == 0

    def ask(number: int) -> None:
        if number % 2:
            infer(model, body(3), None, statistics)
        else:
            with pytest.raises(InputError):
                infer(model, b"{", None, statistics)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(100)))
    found = totals(statistics, model)
    assert (found["inference_count"], found["execution_count"]) == (150, 50)
    assert found["inference_stats"]["success"]["count"] == found["inference_stats"]["fail"]["count"] == 50
    assert found["inference_stats"]["queue"] == {"count": 0, "ns": 0}


def test_each_step_has_its_time_and_success_their_sum(model: Model) -> None:
    statistics = Statistics()
    for _ in range(2):
        statistics.success(model, 3, 10, 200, 3000)
    statistics.failure(model, 7)
    found = totals(statistics, model)["inference_stats"]
    spent = {step: (each["count"], each["ns"]) for step, each in found.items() if each["count"]}
    assert spent == {
        "success": (2, 6420),
        "fail": (1, 7),
        "compute_input": (2, 20),
        "compute_infer": (2, 400),
        "compute_output": (2, 6000),
    }


def test_a_failure_is_no_inference(model: Model) -> None:
    statistics = Statistics()
    statistics.failure(model, 7)
    found = totals(statistics, model)
    assert (found["inference_count"], found["execution_count"], found["last_inference"]) == (0, 0, 0)


def test_versions_are_counted_apart_and_a_reload_keeps_the_counts(tmp_path: Path) -> None:
    shutil.copytree(default_models_dir() / "identity", tmp_path / "identity")
    shutil.copytree(tmp_path / "identity" / "1", tmp_path / "identity" / "2")
    repository, statistics = ModelRepository(tmp_path), Statistics()
    statistics.success(repository.get("identity", 1), 5, 1, 1, 1)
    shutil.copy(default_models_dir() / "churn" / "1" / "model.onnx", tmp_path / "identity" / "1")
    (tmp_path / "identity" / "card.json").unlink()
    assert "identity/1" in repository.reload().changed
    found = statistics.as_json(repository.models)["model_stats"]
    assert [(each["version"], each["inference_count"]) for each in found] == [("1", 5), ("2", 0)]
