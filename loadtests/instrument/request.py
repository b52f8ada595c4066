"""One request of any method and kind, for the trials; the studies have their own in ``exchanges.py``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from loadtests.instrument.exchanges import Exchange


@dataclass(frozen=True)
class Request(Exchange):
    """A request of any method. ``path`` may end in a query string; a header given here replaces a usual one."""

    @property
    def variables(self) -> dict[str, str]:
        """The part of the environ that this request decides."""
        path, _, query = self.path.partition("?")
        named = {name.upper().replace("-", "_"): value for name, value in self.headers.items()}
        variables = {
            name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}": value
            for name, value in named.items()
        }
        if self.body or self.method in ("POST", "PUT", "PATCH"):
            variables["CONTENT_LENGTH"] = str(len(self.body))
        return {
            "REQUEST_METHOD": self.method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_URI": self.path,
            **variables,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` makes the request of them again."""
        return {"method": self.method, "path": self.path, "body": self.body.decode("latin-1"), "headers": self.headers}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Request:
        """The request that ``to_json`` took apart."""
        return cls(**{**values, "body": values["body"].encode("latin-1")})


def json_request(path: str, value: object) -> Request:
    """A POST of ``value`` as JSON."""
    return Request("POST", path, body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})
