"""The code that the training scripts share: scores, provenance, the output files, and the command line.

A script must import this module before NumPy, because the import limits NumPy to one thread. The variables
OMP_NUM_THREADS and OPENBLAS_NUM_THREADS override this limit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

# NOTE: NumPy reads these variables when it is imported. With several threads, the order of additions in a sum varies.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from sklearn.metrics import accuracy_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score

VERSION = "1"


class Split(NamedTuple):
    """The rows for training and the held-out rows. x is float32[N, features]. y is the class of each row, int[N]."""

    x_train: np.ndarray
    x_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray


def binary_scores(y: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Return the AUC, the accuracy at the threshold 0.5, and the Brier score (lower is better) of probabilities."""
    return {
        "auc": round(float(roc_auc_score(y, probability)), 4),
        "accuracy": round(float(accuracy_score(y, probability > 0.5)), 4),
        "brier": round(float(brier_score_loss(y, probability)), 4),
    }


def auc_of_folds(model: Any, x: np.ndarray, y: np.ndarray, folds: int, seed: int) -> dict[str, Any]:
    """Return the AUC of each fold of a cross-validation, their mean, and the number of folds."""
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    values = cross_val_score(model, x, y, cv=parts, scoring="roc_auc")
    each = [round(value, 4) for value in values.tolist()]
    return {"folds": folds, "mean": round(float(values.mean()), 4), "each": each}


def versions_of(tools: Sequence[str]) -> dict[str, str]:
    """Return the installed versions of the packages `tools`."""
    return {tool: version(tool) for tool in tools}


def provenance(name: str, opset: int, versions: dict[str, str]) -> dict[str, Any]:
    """Return the part of the card that names the script, the package versions and the machine that made the model."""
    return {
        "script": f"models/{name}/train.py",
        "opset": opset,
        "made_with": versions,
        "made_on": f"{platform.system()} {platform.machine()}",
    }


def write_files(out: Path, graph: bytes, card: dict[str, Any]) -> Path:
    """Write OUT/1/model.onnx and OUT/card.json, print their paths, and return the folder OUT/1."""
    path = out / VERSION / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(graph)
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    (out / "card.json").write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote     {path} ({len(graph):,} bytes)")
    print(f"          {out / 'card.json'}")
    return path.parent


def run(name: str, train: Callable[[Path], None], arguments: Sequence[str] | None) -> int:
    """Run the command line of a training script: call `train` with the folder --out, and return the exit code 0."""
    parser = argparse.ArgumentParser(description=f"Train the {name} model and write model.onnx and card.json.")
    folder = Path(__file__).resolve().parent / name
    parser.add_argument("--out", type=Path, default=folder, help="folder to write to (default: beside the script)")
    train(parser.parse_args(arguments).out)
    return 0
