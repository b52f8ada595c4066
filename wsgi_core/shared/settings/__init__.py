"""The settings of the service: their schema, the sources that they are read from, and the options of commands."""

from .schema import Settings

__all__ = ["Settings"]
