"""The model identity returns its input, with any number of columns, and its script builds the committed file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wsgi_core.inference import Model, ModelRepository

FOLDER = Path(__file__).resolve().parents[2] / "models" / "identity"


@pytest.fixture(scope="module")
def identity() -> Model:
    return ModelRepository(FOLDER.parent).get("identity")


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (100, 5), (2, 784)])
def test_gives_back_what_it_gets(identity: Model, shape: tuple[int, int]) -> None:
    batch = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    np.testing.assert_array_equal(identity.run(batch), batch)


def test_the_script_builds_the_committed_files(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    command = [sys.executable, str(FOLDER / "train.py"), "--out", str(tmp_path)]
    subprocess.run(command, capture_output=True, check=True)
    for name in ("1/model.onnx", "card.json"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()
