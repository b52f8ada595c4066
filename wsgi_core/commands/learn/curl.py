"""Requests as curl commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

SERVER = "http://127.0.0.1:8000"


def curl_line(method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: str = "") -> str:
    """Return the curl command for a request. `path` may be a whole URL. Otherwise, the URL is `SERVER` and `path`."""
    words = ["curl", "-i"]
    if method == "HEAD":
        words.append("--head")
    elif method != ("POST" if body else "GET"):
        words += ["-X", method]
    for name, value in headers:
        words += ["-H", f"{name}: {value}"]
    if body:
        words += ["--data-binary", body]
    return shlex.join([*words, path if path.startswith("http") else SERVER + path])
