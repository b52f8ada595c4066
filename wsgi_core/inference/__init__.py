"""ONNX models as Python objects: load a model, check input against the model's card, and run the model.

A card is a file `card.json`, which describes the input and output of a model. For example,
`ModelRepository().get("churn").predict(row)` returns the prediction for the JSON object `row`. This package does not
depend on HTTP or on a web framework.
"""

from __future__ import annotations

import typing as t
from importlib import import_module

if t.TYPE_CHECKING:
    from .card import Card as Card
    from .card import Feature as Feature
    from .card import Output as Output
    from .check import Report as Report
    from .check import check_repository as check_repository
    from .errors import InputError as InputError
    from .errors import InvalidFeatures as InvalidFeatures
    from .errors import InvalidInput as InvalidInput
    from .errors import InvalidRequest as InvalidRequest
    from .errors import InvalidTensors as InvalidTensors
    from .errors import MissingFeatures as MissingFeatures
    from .errors import ModelError as ModelError
    from .errors import ModelNotFound as ModelNotFound
    from .errors import OutOfMemory as OutOfMemory
    from .model import Model as Model
    from .repository import IndexEntry as IndexEntry
    from .repository import ModelRepository as ModelRepository
    from .repository import Reload as Reload
    from .repository import default_models_dir as default_models_dir
    from .schema import InputSchema as InputSchema
    from .settings import RuntimeSettings as RuntimeSettings
    from .strict_json import JSONError as JSONError
    from .tensors import TensorSpec as TensorSpec

# Each module is imported on first use, so that `timing` and `settings` can be imported without NumPy.
_MODULES = {
    "Card": "card",
    "Feature": "card",
    "Output": "card",
    "Report": "check",
    "check_repository": "check",
    "InputError": "errors",
    "InvalidFeatures": "errors",
    "InvalidInput": "errors",
    "InvalidRequest": "errors",
    "InvalidTensors": "errors",
    "MissingFeatures": "errors",
    "ModelError": "errors",
    "ModelNotFound": "errors",
    "OutOfMemory": "errors",
    "Model": "model",
    "IndexEntry": "repository",
    "ModelRepository": "repository",
    "Reload": "repository",
    "default_models_dir": "repository",
    "InputSchema": "schema",
    "RuntimeSettings": "settings",
    "JSONError": "strict_json",
    "TensorSpec": "tensors",
}


__all__ = list(_MODULES)


def __getattr__(name: str) -> t.Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    return value
