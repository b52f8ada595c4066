"""Builds the WSGI environ (PEP 3333) of a request."""

from __future__ import annotations

import sys

from waitress.buffers import ReadOnlyFileBasedBuffer

from .parser import Parser
from .protocols import Environ
from .proxies import Forwarded, remove_untrusted


def server_environ(port: int, ident: str, multiprocess: bool = False) -> Environ:
    """Return the part of the environ that all requests to one port share. `ident` is the value of SERVER_SOFTWARE."""
    return {
        "SERVER_NAME": "waitress.invalid",  # waitress' default; a Host header takes precedence in URLs
        "SERVER_PORT": str(port),
        "SERVER_SOFTWARE": ident,
        "SCRIPT_NAME": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": ReadOnlyFileBasedBuffer,
        "wsgi.input_terminated": True,
    }


def connection_environ(server: Environ, host: str, port: int) -> Environ:
    """Return the part of the environ that all requests on one connection share. `host` and `port` are the client's
    address.
    """
    return server | {"REMOTE_ADDR": host, "REMOTE_HOST": host, "REMOTE_PORT": str(port)}


def request_environ(connection: Environ, request: Parser, forwarded: Forwarded | None) -> Environ:
    """Return the environ of a request, without `wsgi.input`.

    `connection` comes from `connection_environ`. `forwarded` has the values from a trusted proxy, or is None.
    """
    path = request.path
    environ = {
        **connection,
        **request.headers,
        "REQUEST_METHOD": request.command,
        "REQUEST_URI": request.request_uri,
        # If the path began with `//`, a URL built from the path would have a part of the path as its host.
        "PATH_INFO": "/" + path.lstrip("/") if path[:2] == "//" else path,
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
    }
    if request.forwarded:
        remove_untrusted(environ, trusted=forwarded is not None)
        if forwarded is not None:
            forwarded.apply(environ)
    return environ
