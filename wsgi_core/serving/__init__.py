"""A server for any WSGI application, with limits and a graceful stop. The server uses parts of waitress.

A request passes through these modules: `listener` accepts the connection. `channel` reads bytes from the connection,
and `parser` parses the request. `admission` accepts or refuses the request. `dispatcher` passes an accepted request to
a thread. `task` calls the application and sends the response.

`server` runs the event loop. docs/develop/server.md describes the states of a connection.
"""

from .server import Server as Server
