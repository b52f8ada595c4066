"""The Open Inference Protocol, version 2: its requests, responses, metadata and statistics.

The body of a request or response is JSON, optionally followed by tensors in a binary format. If tensors follow, the
HTTP header `HEADER_LENGTH` says how many bytes of the body are JSON.
"""

from ..errors import InvalidRequest as InvalidRequest
from .infer import infer as infer
from .metadata import model_config as model_config
from .metadata import model_metadata as model_metadata
from .metadata import repository_index as repository_index
from .metadata import server_metadata as server_metadata
from .request import HEADER_LENGTH as HEADER_LENGTH
from .request import read_object as read_object
from .response import Response as Response
from .statistics import Statistics as Statistics
