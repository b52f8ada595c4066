"""Watch one request pass through the phases, in the core and in Flask, and compare.

>>> from wsgi_core import App
>>> app = App("example")
>>> @app.get("/")
... def index():
...     return "hello"
>>> seen = trace(app, "/")
>>> seen.status
'200 OK'
>>> [event.name for event in seen.events if event.kind == "view"]
['index']

`trace` sends one request, `recording` records whatever a test client sends, `compare` aligns two lists of
events. Events are equal by kind, name and detail; file, line, time and notes are beside that (`Event`).
`compare_answers` compares what the client got: status, headers, body.

What counts as an event, where the two frameworks go different ways to the same end:

- *signal sent* counts if the signal has a receiver. Flask calls ``send`` in any case, the core only with a receiver;
  an application cannot see the difference. With ``signals=True`` every signal of the lifecycle has a receiver.
- *session opened* is when the session can be used: at the request context's first push. If the core defers the
  opening (no cookie came, and the session has not been used yet), a note says so.
- *session saved* counts when saving changed the response's headers, or when the app's own class saves. Flask
  calls the method for untouched sessions too, where it does nothing.
- *request context pushed* stands after the application context's events, when the request context becomes
  current; *popped* stands where it stops to be, after the teardown functions.
- *view*: a view that is a generator function only makes its generator where it is called, and says so in a note.
- *raises*, in an event's detail: an exception left the function. Which one, the next events say.

With ``snapshots=True`` each event has a `Snapshot` of what held then: lines, contexts, hooks, response.

Nothing of the frameworks or the app is changed to see this: the interpreter reports the calls (`watcher`).
"""

from __future__ import annotations

from .align import Row, compare
from .answer import compare_answers
from .drive import Recording, build_environ, recording, trace
from .events import GROUPS, Event, Snapshot, Trace

__all__ = [
    "GROUPS",
    "Event",
    "Recording",
    "Row",
    "Snapshot",
    "Trace",
    "build_environ",
    "compare",
    "compare_answers",
    "recording",
    "trace",
]
