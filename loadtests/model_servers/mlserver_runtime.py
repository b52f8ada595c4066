"""The churn model on MLServer: a custom runtime, asked by the Open Inference Protocol.

Runs in an environment of its own, by ``mlserver start`` with the folder of this file; the class is named by
``MLSERVER_MODEL_IMPLEMENTATION``.
"""

from __future__ import annotations

import os

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Churn(MLModel):  # type: ignore[misc]
    """One session with one thread, as the other servers have."""

    async def load(self) -> bool:
        """Open the model that ``CHURN_MODEL`` names."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["CHURN_MODEL"], options)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the probabilities for a tensor of features."""
        features = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        (probabilities,) = self.session.run(["probabilities"], {"features": features})
        output = NumpyCodec.encode_output("probabilities", probabilities)
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[output])
