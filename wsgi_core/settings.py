"""All that an operator can set, in one schema: names, types, ranges, defaults.

A setting is a field here; where it comes from (a file, the environment, a command's option) is no concern
of the code that reads it.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """The settings of the service and its server. Raises pydantic.ValidationError for what does not fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: Path | None = Field(default=None, description="A model repository; by default the models of wsgi_core.")
    # Up to 10,000 rows of a table fit.
    max_content_length: int = Field(default=4 << 20, ge=1, description="Bytes that a request's body may have at most.")
