"""The description of the API, OpenAPI 3.1, made from the routes, their views' operations, and the models' inputs.

It knows no framework: an app gives its rules and its views. The same routes and headings make up the start page.
"""

from .document import describe_api as describe_api
from .document import group_routes as group_routes
from .operations import describe as describe
from .operations import operations as operations
from .routes import Route as Route
from .routes import list_routes as list_routes
