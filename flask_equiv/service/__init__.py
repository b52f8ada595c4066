"""The HTTP API of the models. Servers load the application with `create_app`."""

from .app import Service as Service
from .app import create_app as create_app
