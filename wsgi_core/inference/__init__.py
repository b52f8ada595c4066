"""ONNX models behind plain Python objects: load them, check input against their cards, run them.

Nothing here knows HTTP or the core. A request gets here when its body has been read: `strict_json.loads(body)` returns
the payload, `ModelRepository(...).get("churn").predict(payload)` the prediction.
"""

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
from .runtime import RuntimeSettings as RuntimeSettings
from .schema import InputSchema as InputSchema
from .strict_json import JSONError as JSONError
from .tensors import TensorSpec as TensorSpec
