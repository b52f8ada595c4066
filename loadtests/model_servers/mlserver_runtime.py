"""The churn model on MLServer: a custom runtime that speaks the Open Inference Protocol.

``mlserver start`` runs this file in its own virtual environment. ``MLSERVER_MODEL_IMPLEMENTATION`` names the class.
"""

from __future__ import annotations

import os

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Churn(MLModel):  # type: ignore[misc]
    """The model: an onnxruntime session with one thread, as on the other servers."""

    async def load(self) -> bool:
        """Open the model file that the environment variable ``CHURN_MODEL`` names."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["CHURN_MODEL"], options)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        features = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        (probabilities,) = self.session.run(["probabilities"], {"features": features})
        output = NumpyCodec.encode_output("probabilities", probabilities)
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[output])
