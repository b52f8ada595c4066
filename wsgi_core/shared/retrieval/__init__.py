"""Questions about this project, answered out of its own documentation, with the places where the answer stands.

A question gets here as a string. The passages that fit it best are found, and either quoted or handed to a language
model behind an OpenAI-compatible endpoint, where one is configured.
"""

from .assistant import Assistant as Assistant
from .assistant import Question as Question
from .endpoint import Endpoint as Endpoint
from .endpoint import UpstreamError as UpstreamError
from .endpoint import chat_endpoint as chat_endpoint
from .passages import Passage as Passage
from .passages import read_documentation as read_documentation
from .search import Embeddings as Embeddings
from .search import TfIdf as TfIdf
