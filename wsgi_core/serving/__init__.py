"""What stands between waitress and the application: limits, admission, the clean stop.

A request meets, in this order, `listener` (its connection is accepted), `channel` and `parser` (its bytes become a
request), `lanes` and `admission` (it gets a place, or an answer from `errors` at once), and then the application.
`server` runs all of it, `signals` tells it when to stop.
"""

from .server import Server as Server
