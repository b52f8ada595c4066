"""The exporters whose packages the tests need anyway. `python -m tests.conformance.exporters` runs all exporters."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("tritonclient.http")

from tests.conformance.exporters.__main__ import run
from tests.conformance.exporters.make import EXPORTERS
from tests.conformance.exporters.table import PAGE, PROVIDERS, RESULTS, with_tables

CHEAP = ("sklearn_default", "sklearn_frame", "sklearn_regression", "xgboost")


@pytest.mark.long
def test_models_of_other_libraries_answer_as_their_library_does(tmp_path: Path) -> None:
    for name in ("skl2onnx", "xgboost"):
        pytest.importorskip(name)
    results = run(CHEAP, [sys.executable], tmp_path)
    assert [(result["name"], result["error"]) for result in results] == [(name, "") for name in CHEAP]


def test_the_result_has_every_exporter_and_none_failed() -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert [result["name"] for result in results] == list(EXPORTERS)
    assert {result["name"]: result["error"] for result in results if result["error"]} == {}


def test_a_second_provider_was_run_and_answers_as_the_cpu() -> None:
    results = json.loads(PROVIDERS.read_text(encoding="utf-8"))
    assert {result["model"] for result in results} == {"churn", "loan", "digits", "sentiment", "minilm"}
    assert all(result["off"] <= 1e-4 for result in results)
    assert any("CPUExecutionProvider" not in result["nodes"] for result in results)


def test_the_tables_are_made_of_the_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_tables(text) == text
