"""The server: serves any WSGI application, on waitress, with limits, admission by time and a clean stop.

A request meets, in this order, `listener` (its connection is accepted), `channel` and `parser` (its bytes become a
request), `admission` and `dispatcher` (it gets a slot and a worker thread, or a response from `errors` at once), and
`task` (the application is called). `server` runs all of it, `signals` tells it when to stop. docs/develop/server.md
draws the life of a connection.
"""

from .server import Server as Server
