"""The settings of the service: their schema, their sources, and the command-line options."""

from .schema import Settings

__all__ = ["Settings"]
