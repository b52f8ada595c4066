"""The Open Inference Protocol, version 2: what its requests mean, what its answers look like.

Nothing here knows of HTTP but for one thing: a header says where the JSON of a body ends and its binary tensors begin.
`infer(model, body, header_length, statistics)` is the whole of an inference.
"""

from .answer import Answer as Answer
from .errors import InvalidRequest as InvalidRequest
from .infer import infer as infer
from .metadata import model_config as model_config
from .metadata import model_metadata as model_metadata
from .metadata import repository_index as repository_index
from .metadata import server_metadata as server_metadata
from .request import read_object as read_object
from .statistics import Statistics as Statistics
