"""Compare an execution provider with the CPU: with the same models and inputs, predictions may differ by at most 1e-4.

    python -m tests.conformance.providers [PROVIDER]

The default provider is OpenVINO. The installed onnxruntime must have the provider (`wsgi-core models providers` lists
them). The command compares models of the project, and MiniLM, which `wsgi-core models build minilm` builds. It writes
docs/providers.json, and the table of docs/models.md.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

import numpy as np

from tests.conformance.exporters.table import PROVIDERS, write_tables
from wsgi_core.inference import Model, ModelRepository, RuntimeSettings
from wsgi_core.inference.runtime import first_choice, providers
from wsgi_core.shared.cache import built_models_dir

TOLERANCE = 1e-4
MODELS = ("churn", "loan", "digits", "sentiment", "minilm")
TEXTS = ["How do I stop the server cleanly?", "A waitress carries requests.", "Größe, naïve café ☕", "word " * 200]


def compare(provider: str) -> list[dict[str, Any]]:
    """Return for each model the largest difference between the predictions of the provider and of the CPU."""
    cpu, other = (
        ModelRepository(also=[built_models_dir()], settings=RuntimeSettings(execution_providers=names))
        for names in (("cpu",), (provider, "cpu"))
    )
    name = first_choice(RuntimeSettings(execution_providers=(provider,)))
    package = next(each.package for each in providers() if each.name == name)
    results = []
    for model in map(other.get, MODELS):
        rows = _rows(model)
        answers = [np.asarray(each.predict(rows)["predictions"]) for each in (cpu.get(model.name), model)]
        off = float(np.abs(answers[0] - answers[1]).max())
        print(f"{model.name}: off by {off:.1e}, nodes {model.nodes}, warnings {model.warnings}")
        found = {"package": f"{package} {version(package)}", "model": model.name, "nodes": model.nodes, "off": off}
        results.append(found)
    return results


def _rows(model: Model) -> list[dict[str, Any]]:
    assert model.card is not None
    if model.card.text:
        return [{"text": text} for text in TEXTS]
    if model.card.pixels:
        return [model.card.example]
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


def main() -> None:
    """Compare, and write the result. The exit code is 1 if a difference is larger than ``TOLERANCE``."""
    results = compare(sys.argv[1] if len(sys.argv) > 1 else "openvino")
    PROVIDERS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8", newline="\n")
    write_tables()
    sys.exit(any(result["off"] > TOLERANCE for result in results))


if __name__ == "__main__":
    main()
