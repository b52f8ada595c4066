"""Answer questions about this project from its documentation, and name the sources.

First the passages that match the question best are retrieved. If an OpenAI-compatible endpoint is configured, its
language model writes an answer from the passages. Otherwise, or if the endpoint fails, the answer quotes the passages.
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
