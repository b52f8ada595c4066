"""All that an operator can set: the schema, where it is read from, the options of commands, `wsgi-core config`."""

from .schema import Settings

__all__ = ["Settings"]
