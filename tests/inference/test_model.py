"""All threads share one session, and a prediction has the form of its input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsgi_core.inference import (
    InvalidInput,
    MissingFeatures,
    Model,
    ModelError,
    ModelRepository,
    default_models_dir,
    runtime,
)

ROW = {
    "tenure_months": 12,
    "monthly_charges": 79.5,
    "total_charges": 954.0,
    "contract_month_to_month": 1,
    "has_fiber": 1,
}


@pytest.fixture(scope="module")
def repository() -> ModelRepository:
    return ModelRepository()


@pytest.fixture(scope="module")
def churn(repository: ModelRepository) -> Model:
    return repository.get("churn")


@pytest.fixture(scope="module")
def identity(repository: ModelRepository) -> Model:
    return repository.get("identity")


def some_rows(count: int) -> list[dict[str, Any]]:
    return [{**ROW, "tenure_months": n % 73, "monthly_charges": 20 + n % 100} for n in range(count)]


def test_one_row_gives_one_probability(churn: Model) -> None:
    answer = churn.predict(ROW)
    assert list(answer) == ["churn_probability", "model_version"]
    assert type(answer["churn_probability"]) is float
    assert 0 < answer["churn_probability"] < 1
    assert answer["model_version"] == churn.id == "churn/1"


def test_a_batch_gives_the_answers_of_its_rows_in_order(churn: Model) -> None:
    rows = some_rows(80)
    each = [churn.predict(row)["churn_probability"] for row in rows]
    assert churn.predict(rows) == {"predictions": each, "model_version": "churn/1"}
    assert churn.predict({"instances": rows}) == churn.predict(rows)


def test_a_batch_is_one_run(churn: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    run = churn.run
    monkeypatch.setattr(churn, "run", lambda batch: shapes.append(batch.shape) or run(batch))
    churn.predict(some_rows(7))
    assert shapes == [(7, 5)]


def test_without_a_column_the_whole_row_is_answered(identity: Model) -> None:
    row = {f"x{n}": n / 2 for n in range(1, 6)}
    assert identity.predict(row) == {"echo": [0.5, 1.0, 1.5, 2.0, 2.5], "model_version": "identity/1"}
    assert identity.predict([row, row])["predictions"] == [[0.5, 1.0, 1.5, 2.0, 2.5]] * 2


def test_run_gives_the_tensor_that_the_card_names(churn: Model, identity: Model) -> None:
    batch = np.zeros((3, 5), np.float32)
    assert churn.run(batch).shape == (3, 2)
    assert churn.run(batch).dtype == np.float32
    wide = np.arange(24, dtype=np.float32).reshape(2, 12)
    np.testing.assert_array_equal(identity.run(wide), wide)


def test_wrong_input_never_reaches_the_session(churn: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(churn, "run", lambda batch: pytest.fail("the model was run"))
    with pytest.raises(MissingFeatures):
        churn.predict({})
    with pytest.raises(InvalidInput):
        churn.predict("x")


def test_eight_threads_share_a_session_and_get_their_own_answers(churn: Model) -> None:
    rows = some_rows(400)
    expected = churn.predict(rows)["predictions"]
    assert len(set(expected)) > 100

    def ask(start: int) -> list[float]:
        return [churn.predict(rows[(start + n) % 400])["churn_probability"] for n in range(1000)]

    with ThreadPoolExecutor(8) as pool:
        for start, answers in zip(range(0, 400, 50), pool.map(ask, range(0, 400, 50)), strict=True):
            assert answers == [expected[(start + n) % 400] for n in range(1000)]


def test_the_runtime_is_imported_late_and_leaves_no_file_behind(tmp_path: Path) -> None:
    script = (
        "import sys, wsgi_core.inference as inference\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "inference.ModelRepository().get('churn')\n"
        "assert 'onnxruntime' in sys.modules\n"
    )
    homes = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA")
    environment = {**os.environ, **dict.fromkeys(homes, str(tmp_path)), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*")) == []


def test_a_decision_turns_at_the_threshold(repository: ModelRepository) -> None:
    model = repository.get("loan")
    assert model.is_classifier
    assert model.card is not None
    decisions = [model.classify(model.card.example | {"income": income}) for income in (0, 8_000, 60_000)]
    assert [label for label, _ in decisions] == [
        "approved" if probability >= 0.5 else "denied" for _, probability in decisions
    ]
    assert {"approved", "denied"} == {label for label, _ in decisions}


@pytest.mark.parametrize("name", ["churn", "digits", "identity"])
def test_a_model_without_two_classes_is_not_a_classifier(repository: ModelRepository, name: str) -> None:
    assert not repository.get(name).is_classifier


def test_a_model_without_its_card_is_not_a_classifier(tmp_path: Path) -> None:
    assert not Model("loan", "1", default_models_dir() / "loan" / "1" / "model.onnx", None).is_classifier


@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_a_prediction_that_json_cannot_hold_is_refused_with_its_row(tmp_path: Path, value: float) -> None:
    """log(-1) is NaN, and log(0) is minus infinity."""
    folder = tmp_path / "logs"
    (folder / "1").mkdir(parents=True)
    write_graph(
        folder / "1" / "model.onnx",
        [lambda helper: helper.make_tensor_value_info("x", 1, ["N", 1])],
        lambda helper: helper.make_node("Log", ["x"], ["y"]),
    )
    feature = {"name": "x", "description": "", "kind": "number", "dtype": "float32", "example": 1}
    for column in (0, None):
        output = {"name": "log", "tensor": "y", "column": column}
        card = {"name": "logs", "description": "", "input": {"tensor": "x"}, "features": [feature], "output": output}
        (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
        model = ModelRepository(tmp_path).get("logs")
        assert model.predict({"x": 1})["log"] == (0 if column == 0 else [0])
        with pytest.raises(
            InvalidInput, match="logs/1 returned NaN or infinity for row 0, which JSON cannot represent"
        ):
            model.predict({"x": value})
        with pytest.raises(InvalidInput, match="returned NaN or infinity for row 2, which"):
            model.predict([{"x": 1}, {"x": 2}, {"x": value}])


def write_graph(path: Path, inputs: list[Any], node: Any) -> Path:
    """Write a model file with one node and a float output `y`. This needs `onnx`, which only the tests require."""
    helper = pytest.importorskip("onnx.helper")
    output = helper.make_tensor_value_info("y", 1, None)
    graph = helper.make_graph([node(helper)], "demo", [make(helper) for make in inputs], [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_a_model_that_takes_nothing_is_refused(tmp_path: Path) -> None:
    path = write_graph(
        tmp_path / "model.onnx", [], lambda helper: helper.make_node("Constant", [], ["y"], value_float=1.0)
    )
    with pytest.raises(ModelError, match="has no input"):
        Model("demo", "1", path, None)


def test_a_model_without_a_card_loads_even_if_it_cannot_be_warmed_up(tmp_path: Path) -> None:
    path = write_graph(
        tmp_path / "model.onnx",
        [lambda helper: helper.make_tensor_value_info("x", 1, ["N"])],
        lambda helper: helper.make_node("Split", ["x"], ["y", "z"]),  # a single zero cannot be split into two parts
    )
    assert repr(Model("demo", "1", path, None)) == "<Model demo/1>"


def test_a_runtime_that_cannot_be_imported_is_a_model_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    runtime.import_runtime.cache_clear()
    with pytest.raises(ModelError, match="onnxruntime cannot be imported"):
        Model("demo", "1", tmp_path / "model.onnx", None)
