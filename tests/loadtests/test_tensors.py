"""The three forms of an inference answer the same; no time is judged here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from loadtests import tensors
from tests.runner import CliRunner
from wsgi_core.inference import ModelRepository


def test_the_three_forms_answer_the_same() -> None:
    ways = tensors.make_ways(ModelRepository().get("identity"), 50)
    by_hand, fast, packed = ways[tensors.STANDARD](), ways[tensors.FAST_JSON](), ways[tensors.BINARY]()
    assert isinstance(by_hand, bytes)
    expected = json.loads(by_hand)
    answer = json.loads(fast.body)  # type: ignore[attr-defined]
    values = np.array(answer["outputs"][0].pop("data"), np.float32)
    assert np.array_equal(values, np.array(expected["outputs"][0].pop("data"), np.float32))
    assert answer == expected
    assert np.array_equal(np.frombuffer(packed.body[packed.json_length :], "<f4"), values)  # type: ignore[attr-defined]


def test_the_standard_librarys_way_checks_too() -> None:
    model = ModelRepository().get("identity")
    for data in ([1.0, "2"], [1.0]):
        tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": data}
        with pytest.raises(ValueError, match=r"not a number|another"):
            tensors.infer_by_hand(model, json.dumps({"inputs": [tensor]}).encode())


def test_the_command_prints_a_row_for_each_form() -> None:
    done = CliRunner().invoke(tensors.main, ["--size", "10", "--rounds", "6"])
    assert done.exit_code == 0, done.output
    for name in (tensors.STANDARD, tensors.FAST_JSON, tensors.BINARY):
        assert name in done.output
