"""A server for any WSGI application, built on parts of waitress, with limits, admission control and a graceful stop.

A request passes through these modules: `listener` accepts the connection. `channel` and `parser` turn its bytes into a
request. `admission` and `dispatcher` give the request a slot and a thread, or refuse the request with a response from
`errors`. `task` calls the application and sends the response.

`server` runs the event loop, and `signals` stops the server. docs/develop/server.md draws the states of a connection.
"""

from .server import Server as Server
