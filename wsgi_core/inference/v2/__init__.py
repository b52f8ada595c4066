"""The Open Inference Protocol, version 2: what its requests mean, and what its responses contain.

Nothing here knows HTTP, except that a header says where the JSON of a body ends and its binary tensors begin.
`infer(model, body, header_length, statistics)` is a whole inference.
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
