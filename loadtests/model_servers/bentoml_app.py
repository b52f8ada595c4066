"""The churn model on BentoML: ``POST /predict`` with a row.

``bentoml serve`` runs this file in its own virtual environment.
"""

from __future__ import annotations

import os

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Churn:
    """The model: an onnxruntime session with one thread, as on the other servers."""

    def __init__(self) -> None:
        """Open the model file that the environment variable ``CHURN_MODEL`` names."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["CHURN_MODEL"], options)

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(
        self,
        tenure_months: float,
        monthly_charges: float,
        total_charges: float,
        contract_month_to_month: float,
        has_fiber: float,
    ) -> dict[str, float]:
        row = [tenure_months, monthly_charges, total_charges, contract_month_to_month, has_fiber]
        (probabilities,) = self.session.run(["probabilities"], {"features": np.array([row], np.float32)})
        return {"churn_probability": float(probabilities[0, 1])}
