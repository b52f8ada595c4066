"""The API's description in OpenAPI 3.1, generated from the routes, their views' operations, and the models' inputs.

The package depends on no framework: an app passes its rules and its views. The start page lists the same routes under
the same headings.
"""

from .document import describe_api as describe_api
from .document import group_routes as group_routes
from .operations import describe as describe
from .operations import operations as operations
from .routes import Route as Route
from .routes import list_routes as list_routes
