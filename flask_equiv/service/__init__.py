"""The HTTP API of the models. `create_app` returns the application that servers load."""

from .app import Service as Service
from .app import create_app as create_app
