"""What the protocol tells about the server and its models: their metadata, configuration and index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..model import Model
from ..repository import Entry
from ..tensors import TensorSpec

EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository", "statistics")


@cache
def server_metadata() -> dict[str, Any]:
    """`{"name", "version", "extensions"}`."""
    try:
        own_version = version("wsgi_core")
    except PackageNotFoundError:  # a checkout that was never installed
        own_version = "0"
    return {"name": "wsgi_core", "version": own_version, "extensions": EXTENSIONS}


def model_metadata(model: Model, versions: Sequence[str]) -> dict[str, Any]:
    """`{"name", "versions", "platform", "inputs", "outputs"}`; -1 in a shape stands for any size."""
    return {
        "name": model.name,
        "versions": versions,
        "platform": "onnx_onnxv1",
        "inputs": [_tensor(spec) for spec in model.inputs],
        "outputs": [_tensor(spec) for spec in model.outputs],
    }


def model_config(model: Model) -> dict[str, Any]:
    """The configuration as Triton words it. `max_batch_size` 0 says that the shapes are whole, batch included."""
    return {
        "name": model.name,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "version_policy": {"all": {}},
        "max_batch_size": 0,
        "input": [_config(spec) for spec in model.inputs],
        "output": [_config(spec) for spec in model.outputs],
    }


def repository_index(entries: Iterable[Entry], *, ready: bool) -> list[dict[str, str]]:
    """`[{"name", "version", "state", "reason"}]`; with `ready` only what is served."""
    return [
        {"name": entry.name, "version": entry.version, "state": entry.state, "reason": entry.reason}
        for entry in entries
        if not ready or entry.state == "READY"
    ]


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape}


def _config(spec: TensorSpec) -> dict[str, Any]:
    kind = "STRING" if spec.datatype == "BYTES" else spec.datatype
    return {"name": spec.name, "data_type": f"TYPE_{kind}", "dims": spec.shape}
