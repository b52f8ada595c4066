"""The description of the API in OpenAPI 3.1, generated from the routes, the operations of their views, and the
models."""

from .document import describe_api as describe_api
from .document import group_routes as group_routes
from .operations import describe as describe
from .operations import operations as operations
from .routes import Route as Route
from .routes import list_routes as list_routes
