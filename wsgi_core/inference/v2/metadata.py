"""The metadata of the server and the models, the configuration of a model, and the index of the repository."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..model import Model
from ..repository import IndexEntry
from ..tensors import TensorSpec

EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository", "statistics")


@cache
def server_metadata() -> dict[str, Any]:
    """Return the server metadata of the protocol: name, version and extensions."""
    try:
        own_version = version("wsgi_core")
    except PackageNotFoundError:  # the package runs from a checkout and is not installed
        own_version = "0"
    return {"name": "wsgi_core", "version": own_version, "extensions": EXTENSIONS}


def model_metadata(model: Model, versions: Sequence[str]) -> dict[str, Any]:
    """Return the model metadata of the protocol. `versions` are the served versions of the model.

    A dimension of any size is -1. The parameters contain, for each execution provider that runs the model, the number
    of graph nodes that it runs. If inputs or outputs are not served, the parameters contain them too.
    """
    unserved = [each._asdict() for each in model.unserved]
    return {
        "name": model.name,
        "versions": versions,
        "platform": "onnx_onnxv1",
        "inputs": [_tensor(spec) for spec in model.inputs],
        "outputs": [_tensor(spec) for spec in model.outputs],
        "parameters": {"execution_providers": model.nodes} | ({"unserved": unserved} if unserved else {}),
    }


def model_config(model: Model) -> dict[str, Any]:
    """Return the model configuration in the format of Triton.

    `max_batch_size` is 0, because the shapes include the batch dimension.
    """
    return {
        "name": model.name,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "version_policy": {"all": {}},
        "max_batch_size": 0,
        "input": [_config(spec) for spec in model.inputs],
        "output": [_config(spec) for spec in model.outputs],
    }


def repository_index(entries: Iterable[IndexEntry], *, ready: bool) -> list[dict[str, str]]:
    """Return the repository index of the protocol. If `ready` is true, the index contains only the served versions."""
    return [
        {"name": entry.name, "version": entry.version, "state": entry.state, "reason": entry.reason}
        for entry in entries
        if not ready or entry.state == "READY"
    ]


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    tensor = {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape}
    parameters = {"optional": True} if spec.optional else {"labels": spec.labels} if spec.labels else {}
    return tensor | ({"parameters": parameters} if parameters else {})


def _config(spec: TensorSpec) -> dict[str, Any]:
    kind = "STRING" if spec.datatype == "BYTES" else spec.datatype
    config = {"name": spec.name, "data_type": f"TYPE_{kind}", "dims": spec.shape}
    return config | ({"optional": True} if spec.optional else {})
