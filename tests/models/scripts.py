"""Helpers for the tests of the trained models: import a training script, or run it in a separate process."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

MODELS = Path(__file__).resolve().parents[2] / "models"


_SIMD = np.show_config(mode="dicts").get("SIMD Extensions", {})
_FEATURES = [*_SIMD.get("baseline", []), *_SIMD.get("found", [])]  # "found" is missing if there is only the baseline

same_cpu = pytest.mark.skipif(
    not any(name == "X86_V4" or name.startswith("AVX512") for name in _FEATURES),
    reason="trained on a CPU with AVX-512: on others, NumPy orders equal values, and OpenBLAS adds, in another order",
)
"""Marks tests that train the models of digits and sentiment again, and compare the result with the committed model."""


def load_script(name: str) -> ModuleType:
    """Import and return models/<name>/train.py. The import does not train the model."""
    spec = importlib.util.spec_from_file_location(f"train_{name}", MODELS / name / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def read_card(name: str) -> dict[str, Any]:
    """Return the committed card as JSON values."""
    card: dict[str, Any] = json.loads((MODELS / name / "card.json").read_text(encoding="utf-8"))
    return card


def assert_training_gives_the_committed_bytes(name: str, script: ModuleType, out: Path) -> None:
    """Train the model into `out`, and compare every file with the committed file.

    If the card names other package versions or another platform, skip the test.
    """
    made = read_card(name)["training"]
    if (made["made_on"], made["made_with"]) != (f"{platform.system()} {platform.machine()}", script.tool_versions()):
        pytest.skip("trained with other versions or on another machine, as the card says")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(MODELS / name / "train.py"), "--out", str(out)]
    subprocess.run(command, env=environment, cwd=MODELS.parent, capture_output=True, check=True)
    written = {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    assert written == {path for path in committed_files(name) if path.suffix != ".py"}
    for path in written:
        assert (out / path).read_bytes() == (MODELS / name / path).read_bytes(), path


def committed_files(name: str) -> set[Path]:
    """Return the relative paths of the files in a model's folder, without Python's caches."""
    folder = MODELS / name
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder) for path in files}
