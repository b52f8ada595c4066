"""Answers questions about this project from its documentation, and names the sources.

The input is a question as a string. The passages that match the question best are retrieved, and the answer quotes
these passages. If an OpenAI-compatible endpoint is configured, its language model writes the answer from the passages
instead.
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
