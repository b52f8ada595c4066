"""A server for any WSGI application, built on parts of waitress, with limits, admission control and a graceful stop.

A request passes through the modules in this order. `listener` accepts the connection. `channel` and `parser` turn its
bytes into a request. `admission` and `dispatcher` give the request a slot and a worker thread, or refuse it with a
response from `errors`. `task` calls the application. `server` runs the event loop, and `signals` stops the server.
docs/develop/server.md draws the states of a connection.
"""

from .server import Server as Server
