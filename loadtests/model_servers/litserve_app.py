"""The churn model on LitServe: ``POST /predict`` with a row.

This file runs in its own virtual environment. Its argument is the port.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import litserve
import numpy as np
import onnxruntime

FEATURES = ("tenure_months", "monthly_charges", "total_charges", "contract_month_to_month", "has_fiber")


class Churn(litserve.LitAPI):  # type: ignore[misc]
    """The model: an onnxruntime session with one thread, as on the other servers."""

    def setup(self, device: str) -> None:
        """Open the model file that the environment variable ``CHURN_MODEL`` names."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["CHURN_MODEL"], options)

    def decode_request(self, request: dict[str, float]) -> Any:
        """Convert the JSON of one row to a tensor."""
        return np.array([[request[name] for name in FEATURES]], np.float32)

    def predict(self, x: Any) -> Any:
        return self.session.run(["probabilities"], {"features": x})[0]

    def encode_response(self, output: Any) -> dict[str, float]:
        """Convert the probabilities to the JSON of the response."""
        return {"churn_probability": float(output[0, 1])}


if __name__ == "__main__":
    server = litserve.LitServer(Churn(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, log_level="warning", generate_client_file=False
    )
