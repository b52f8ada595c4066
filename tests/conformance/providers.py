"""Compare an execution provider with the CPU: the same models, the same inputs, answers equal to 1e-4.

    python -m tests.conformance.providers [PROVIDER]

Run it in an environment whose onnxruntime has the provider (`wsgi-core models providers`), by default OpenVINO. It
compares churn, and MiniLM if `wsgi-core models build minilm` has built it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from wsgi_core.inference import Model, ModelRepository, RuntimeSettings
from wsgi_core.shared.cache import built_models_dir

TOLERANCE = 1e-4
TEXTS = ["How do I stop the server cleanly?", "A waitress carries requests.", "Größe, naïve café ☕", "word " * 200]


def compare(provider: str) -> dict[str, float]:
    """Return for each model the largest difference between the provider's answers and the CPU's."""
    both = [
        ModelRepository(also=[built_models_dir()], settings=RuntimeSettings(execution_providers=names))
        for names in (("cpu",), (provider, "cpu"))
    ]
    differences = {}
    for name in ("churn", "minilm"):
        model, other = (repository.find(name) for repository in both)
        if model is None or other is None:
            print(f"{name}: not built on this machine")
            continue
        rows = _rows(model)
        answers = [np.asarray(each.predict(rows)["predictions"]) for each in (model, other)]
        differences[name] = float(np.abs(answers[0] - answers[1]).max())
        print(f"{name}: off by {differences[name]:.1e}, nodes {other.nodes}, warnings {other.warnings}")
    return differences


def _rows(model: Model) -> list[dict[str, Any]]:
    assert model.card is not None
    if model.card.text:
        return [{"text": text} for text in TEXTS]
    rng = np.random.default_rng(1)
    return [
        {
            feature.name: float(
                rng.choice(feature.allowed) if feature.allowed else rng.uniform(feature.low, feature.high)
            )
            for feature in model.card.features
        }
        for _ in range(200)
    ]


if __name__ == "__main__":
    sys.exit(any(off > TOLERANCE for off in compare(sys.argv[1] if len(sys.argv) > 1 else "openvino").values()))
